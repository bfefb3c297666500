import { z } from "zod";
import { readActions } from "./audit.ts";
import { type Command, countFlag, printJson, readFlags } from "./command.ts";

const logFlags = z.object({ limit: countFlag(10_000).default(50), json: z.boolean().default(false) });

/** The verb that shows the audit records of some groups of verbs. */
export const logOf = (groups: readonly string[], summary: string): Command => ({
  usage: "[--limit N] [--json]",
  summary,
  details: "The latest actions first; kept for 400 days. Dry runs are not among them.",
  flags: { limit: { type: "string" }, json: { type: "boolean" } },
  async run(target, { flags }) {
    const { limit, json } = readFlags(logFlags, flags);
    const actions = await readActions(target, groups, limit);
    if (json) return printJson(actions);
    if (actions.length === 0) console.log("Nothing was done yet.");
    for (const { at, by, verb, given, counts, error } of actions) {
      console.log(`${at}  ${by}  ${verb} ${JSON.stringify(given)}`);
      console.log(`    ${error ?? (counts ? countsOf(counts) : "did not end")}`);
    }
  },
});

const countsOf = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, amount]) => `${amount} ${name}`)
    .join(", ");
