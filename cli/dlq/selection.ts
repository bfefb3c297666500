import { z } from "zod";
import { type Command, countFlag, type Input, queueFlag, queueNames, readFlags } from "../command.ts";
import { createFilter, type Filter, whereHelp } from "./filter.ts";

/** Flags by which the verbs over dead letters are told which ones are meant. */
export const selectionFlags = {
  queue: { type: "string" },
  where: { type: "string", multiple: true },
  limit: { type: "string" },
  json: { type: "boolean" },
} as const satisfies Command["flags"];

export const selectionHelp = `--queue takes one queue; without it all are looked at.
${whereHelp}
--limit is the most messages to look at per queue (default 1000). Those looked at are hidden meanwhile, for seconds.`;

const usualLimit = 1000;

const selection = z.object({
  queue: queueFlag,
  where: z.array(z.string()).default([]),
  limit: countFlag(10_000).default(usualLimit),
  json: z.boolean().default(false),
});

export interface Selection extends z.infer<typeof selection> {
  ids: string[];
  queues: typeof queueNames;
  matches: Filter;
}

export function readSelection({ args, flags }: Input): Selection {
  const { queue, where, limit, json } = readFlags(selection, flags);
  return {
    queue,
    where,
    limit,
    json,
    ids: args,
    queues: queue ? [queue] : queueNames,
    matches: createFilter(args, where),
  };
}

/** Long enough to look; whoever dies while looking gives the messages back after this. */
export const lookSeconds = 120;

/** Queues that hold more than was looked at, as a sentence; empty when there are none. */
export function unseenSentence(unseen: Partial<Record<string, number>>): string {
  const queues = Object.entries(unseen).map(([queue, amount]) => `about ${amount} more of ${queue}`);
  return queues.length === 0
    ? ""
    : `Not looked at: ${queues.join(", ")}. Raise --limit; what somebody else looks at right now cannot be seen either.`;
}
