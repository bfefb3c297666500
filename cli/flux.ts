import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { schedules } from "../registry/schedules.ts";
import { parseDuration } from "./duration.ts";
import { findLocalStation, type LocalStation, OperatorError } from "./local-station.ts";

const usage = `flux: the operator's command, for the station on this machine

  npm run flux -- status                     queues, what is pending, what died
  npm run flux -- advance <duration>         move time forward (90s, 15m, 6h, 35d, 2w), firing each schedule on the way
  npm run flux -- fire <schedule> [--at T]   run a schedule now, or as if it were T (ISO time)

Schedules: ${Object.keys(schedules).join(", ")}`;

type Verb = (station: LocalStation, args: string[], options: { at?: string }) => Promise<void>;

const queueTable = z.record(z.string(), z.record(z.string(), z.int()));
const report = z.object({
  now: z.string(),
  queues: queueTable,
  troubles: z.record(z.string(), z.int()),
  pending: z.record(z.string(), z.int()),
  deadLetters: z.record(z.string(), z.int()),
});

const verbs: Record<string, Verb> = {
  async status(station) {
    const { now, queues, troubles, pending, deadLetters } = report.parse(await station.ask("GET", "/report"));
    console.log(`Station at ${station.api}, its time ${now}`);
    if (Object.keys(queues).length > 0) console.table(queues);
    else console.log("No message has been handled yet.");
    const list = (title: string, counts: Record<string, number>) =>
      console.log(
        `${title}: ${
          Object.entries(counts)
            .map(([name, amount]) => `${amount} ${name}`)
            .join(", ") || "none"
        }`,
      );
    list("Pending", pending);
    list("Dead letters", deadLetters);
    list("Warnings and errors", troubles);
  },

  async advance(station, [duration = ""]) {
    const ms = parseDuration(duration);
    if (ms === null) throw new OperatorError(`"${duration}" is no duration. Say for example 6h or 35d.`);
    const answer = z
      .object({ fired: z.array(z.string()), now: z.string() })
      .parse(await station.ask("POST", "/advance", { ms }));
    for (const fired of answer.fired) console.log(`fired ${fired}`);
    console.log(`The station's time is now ${answer.now}.`);
  },

  async fire(station, [schedule = ""], { at }) {
    const known = Object.keys(schedules).find((name) => name === schedule);
    if (!known)
      throw new OperatorError(`There is no schedule "${schedule}". There are: ${Object.keys(schedules).join(", ")}.`);
    await station.ask("POST", "/fire", { schedule: known, ...(at ? { at } : {}) });
    console.log(`Fired ${known}${at ? ` as of ${at}` : ""}.`);
  },
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { at: { type: "string" }, help: { type: "boolean", short: "h" }, home: { type: "string" } },
  });
  const [verb = "", ...args] = positionals;
  const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (!run || values.help) {
    console.log(usage);
    process.exitCode = run || values.help || verb === "" ? 0 : 1;
    return;
  }
  const station = await findLocalStation(values.home ?? join(import.meta.dirname, "../.station"));
  await run(station, args, values.at ? { at: values.at } : {});
}

try {
  await main();
} catch (error) {
  console.error(error instanceof OperatorError ? error.message : error);
  process.exitCode = 1;
}
