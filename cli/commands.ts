import type { Command } from "./command.ts";
import { reopen } from "./digest.ts";
import * as acting from "./dlq/act.ts";
import * as looking from "./dlq/look.ts";
import { rehearseDeadLetter } from "./dlq/rehearse.ts";
import * as ledger from "./ledger/commands.ts";
import { logOf } from "./log.ts";
import { pause, resume } from "./pause.ts";
import * as station from "./station-verbs.ts";

/** Every verb, in the order of `flux --help`. */
export const commands: Record<string, Command> = {
  status: station.status,
  advance: station.advance,
  fire: station.fire,
  pause,
  resume,
  "dlq list": looking.list,
  "dlq show": looking.show,
  "dlq diff": looking.diff,
  "dlq rehearse": rehearseDeadLetter,
  "dlq redrive": acting.redrive,
  "dlq drop": acting.drop,
  "dlq log": logOf(["dlq", "pause", "resume"], "who redrove, dropped or paused what"),
  "ledger list": ledger.list,
  "ledger show": ledger.show,
  "ledger settle": ledger.settle,
  "ledger log": logOf(["ledger", "digest"], "who settled or reopened what"),
  "digest reopen": reopen,
};
