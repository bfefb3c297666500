import { z } from "zod";
import { schedules } from "../registry/schedules.ts";
import type { Command } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { UsageError } from "./operator-error.ts";
import { localOnly } from "./target.ts";

const queueTable = z.record(z.string(), z.record(z.string(), z.int()));
const report = z.object({
  now: z.string(),
  queues: queueTable,
  troubles: z.record(z.string(), z.int()),
  pending: z.record(z.string(), z.int()),
  /** Messages that wait, by queue on hold. */
  held: z.record(z.string(), z.int()),
  deadLetters: z.record(z.string(), z.int()),
});

export const status: Command = {
  usage: "",
  summary: "queues, what is pending, what died (this machine; on AWS see the dashboard and /health)",
  async run(target) {
    const station = localOnly(target, "status");
    const { now, queues, troubles, pending, held, deadLetters } = report.parse(await station.ask("GET", "/report"));
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
    list("On hold", held);
    list("Dead letters", deadLetters);
    list("Warnings and errors", troubles);
  },
};

export const advance: Command = {
  usage: "<duration>",
  summary: "move time forward (90s, 15m, 6h, 35d, 2w), firing each schedule on the way (this machine)",
  async run(target, { args: [duration = ""] }) {
    const station = localOnly(target, "advance");
    const ms = parseDuration(duration);
    if (ms === null) throw new UsageError(`"${duration}" is no duration. Say for example 6h or 35d.`);
    const answer = z
      .object({ fired: z.array(z.string()), now: z.string() })
      .parse(await station.ask("POST", "/advance", { ms }));
    for (const fired of answer.fired) console.log(`fired ${fired}`);
    console.log(`The station's time is now ${answer.now}.`);
  },
};

export const fire: Command = {
  usage: "<schedule> [--at T]",
  summary: "run a schedule now, or as if it were T (this machine)",
  details: `T is an ISO time. Schedules: ${Object.keys(schedules).join(", ")}`,
  flags: { at: { type: "string" } },
  async run(target, { args: [schedule = ""], flags: { at } }) {
    const station = localOnly(target, "fire");
    const known = Object.keys(schedules).find((name) => name === schedule);
    if (!known)
      throw new UsageError(`There is no schedule "${schedule}". There are: ${Object.keys(schedules).join(", ")}.`);
    await station.ask("POST", "/fire", { schedule: known, ...(at ? { at } : {}) });
    console.log(`Fired ${known}${at ? ` as of ${at}` : ""}.`);
  },
};
