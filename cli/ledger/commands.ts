import { z } from "zod";
import { audited } from "../audit.ts";
import { type Command, printJson, readFlags } from "../command.ts";
import { OperatorError, UsageError } from "../operator-error.ts";
import { redactText } from "../redact.ts";
import type { Target } from "../target.ts";
import { changeRecord, type Found, findRecord, findRecords } from "./records.ts";
import { settleAnnouncement, settleMail } from "./settlement.ts";

const statuses = ["parked", "claimed", "sending", "accepted", "delivered", "bounced", "complained", "refused"] as const;

const listFlags = z.object({ status: z.enum(statuses).default("parked"), json: z.boolean().default(false) });

export const list: Command = {
  usage: "[--status S] [--json]",
  summary: "mails and announcements that are parked, or in another state",
  details: `Reads the whole state table, which on AWS costs about a cent per 30,000 records.
States: ${statuses.join(", ")}.`,
  flags: { status: { type: "string" }, json: { type: "boolean" } },
  async run(target, { flags }) {
    const { status, json } = readFlags(listFlags, flags);
    const found = await findRecords(target, status);
    if (json) return printJson(found.map(factsOf));
    if (found.length === 0) console.log(`Nothing is ${status} in ${target.description}.`);
    for (const each of found) {
      const { key, kind, mails, firstAttemptAt, reason } = factsOf(each);
      console.log(`${key}  ${kind}${mails > 1 ? ` of ${mails} mails` : ""}, first tried ${firstAttemptAt ?? "never"}`);
      if (reason) console.log(`    ${redactText(reason)}`);
    }
  },
};

export const show: Command = {
  usage: "<key>",
  summary: "one ledger record, by its business key",
  details: "A key is such as welcome/{subscription}, digest/{week}/{number} or discord/job/{id}.",
  async run(target, { args }) {
    printJson({ ...factsOf(await theRecord(target, args)) });
  },
};

const settleFlags = z.object({
  as: z.enum(["sent", "unsent", "refused"], { error: "takes sent, unsent or refused" }),
  reason: z.string({ error: "is needed, for the record" }).trim().min(1).max(500),
  "message-id": z.string().optional(),
});

export const settle: Command = {
  usage: "<key> --as sent|unsent|refused --reason TEXT [--message-id ID]",
  summary: "say what became of something parked",
  details: `sent     it was: it is never sent again
unsent   it was not, you are sure: it may be sent again, once its message is redriven or asked for anew
refused  it must never be sent
--message-id is Discord's id of an announcement that was posted: only then later changes can be written into it.`,
  flags: { as: { type: "string" }, reason: { type: "string" }, "message-id": { type: "string" } },
  async run(target, { args, flags }) {
    const { as, reason, "message-id": messageId = null } = readFlags(settleFlags, flags);
    const found = await theRecord(target, args);
    const { key } = found.record;
    const note = `settled as ${as} by ${await target.operator()}: ${reason}`;
    const settlement =
      found.kind === "mail"
        ? settleMail(found.record, as, { mails: found.mails, note, nowMs: target.now() })
        : settleAnnouncement(found.record, as, { messageId, note });
    if ("refusal" in settlement) throw new OperatorError(`${key} cannot be settled: ${settlement.refusal}`);
    const given = { key, as, reason, ...(messageId ? { messageId } : {}) };
    await audited(target, { verb: "ledger settle", given }, async () => {
      if (!(await changeRecord(target, found, settlement.changes)))
        throw new OperatorError(
          `${key} was changed by somebody else just now. Look at it again: flux ledger show ${key}`,
        );
      return { settled: 1 };
    });
    console.log(`${key} is settled as ${as}. ${settlement.advice}`);
  },
};

async function theRecord(target: Target, [key, ...more]: string[]): Promise<Found> {
  if (key === undefined || more.length > 0) throw new UsageError("Name one key: see `flux ledger list`.");
  const found = await findRecord(target, key);
  if (found) return found;
  throw new OperatorError(`There is no ledger record ${key} in ${target.description}.`);
}

function factsOf(found: Found) {
  const { kind, record } = found;
  const triedMs = kind === "mail" ? found.record.firstAttemptMs : found.record.attemptedMs;
  return {
    kind,
    ...record,
    mails: kind === "mail" ? found.mails : 1,
    firstAttemptAt: triedMs === null ? null : new Date(triedMs).toISOString(),
  };
}
