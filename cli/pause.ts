import { ResourceNotFoundException } from "@aws-sdk/client-lambda";
import { z } from "zod";
import { physicalName, workerName } from "../lambdas/core/names.ts";
import { createEventSourceMappings, type EventSourceMapping } from "../lambdas/runtime/event-source-mappings.ts";
import { createHolds, type PlacedHold } from "../lambdas/runtime/holds.ts";
import type { QueueName } from "../registry/queues.ts";
import { audited } from "./audit.ts";
import { type Command, type Input, queueNamed, readFlags } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { OperatorError, UsageError } from "./operator-error.ts";
import type { Target } from "./target.ts";

/** SQS drops a message after 14 days, and working off what has gathered takes its time too. */
const longestPauseMs = 10 * 86_400_000;

const pauseFlags = z.object({ for: z.string().optional(), reason: z.string().max(200).optional() });

/** `flux pause <queue>`: nobody takes messages out of the queue; they wait in it. */
export const pause: Command = {
  usage: '<queue> [--for 2h] [--reason "..."]',
  summary: "let a queue's messages wait, for a time or until flux resume",
  details: `What the worker has in hand is still carried out; everything else waits in the queue, in which SQS keeps a
message for 14 days. Its backlog's alarms are silent for the first seven days.`,
  flags: { for: { type: "string" }, reason: { type: "string" } },
  async run(target, input) {
    const queue = theQueue(input);
    const flags = readFlags(pauseFlags, input.flags);
    const untilMs = flags.for === undefined ? null : target.now() + durationOf(flags.for);
    const reason = [flags.reason ?? "paused", `(${await target.operator()})`].join(" ");
    const holds = createHolds(target);
    await audited(target, { verb: "pause", given: { queue, ...flags } }, async () => {
      if (!(await holds.place({ queue, untilMs, reason, by: "operator" }))) {
        const present = await holds.read(queue);
        console.log(`${queue} is on hold for longer already${present ? `: ${describe(present)}` : ""}.`);
      } else {
        console.log(`${queue} is on hold ${untilMs === null ? "until you resume it" : `until ${iso(untilMs)}`}.`);
      }
      console.log(await makeSo(target, queue, false));
      return { paused: 1 };
    });
  },
};

/** `flux resume <queue>`: ends a hold before its time, whoever placed it. */
export const resume: Command = {
  usage: "<queue>",
  summary: "end a queue's hold, its own or the station's",
  async run(target, input) {
    const queue = theQueue(input);
    const holds = createHolds(target);
    await audited(target, { verb: "resume", given: { queue } }, async () => {
      const hold = await holds.read(queue);
      await holds.lift(queue);
      console.log(hold ? `Lifted the hold of ${queue}: ${describe(hold)}.` : `${queue} was not on hold.`);
      console.log(await makeSo(target, queue, true));
      return { resumed: hold ? 1 : 0 };
    });
  },
};

/** Switches the worker's feed at once, which the station's own sweep would do within a minute. */
async function makeSo({ lambda, stage }: Target, queue: QueueName, enabled: boolean): Promise<string> {
  const mappings = createEventSourceMappings(lambda);
  const functionName = physicalName(stage, workerName(queue));
  const [mapping] = await mappings.list(functionName).catch((error: unknown): EventSourceMapping[] => {
    if (error instanceof ResourceNotFoundException) return [];
    throw error;
  });
  if (!mapping)
    throw new OperatorError(
      `Nothing feeds the function ${functionName}. Is the stage deployed here? Look at the stage's name, the account and the region.`,
    );
  const [lasting, passing] = enabled ? ["Enabled", "resumes"] : ["Disabled", "stops"];
  if (mapping.state === lasting) return `Its worker ${enabled ? "is at work" : "gets no messages"} already.`;
  if (mapping.state !== "Enabled" && mapping.state !== "Disabled")
    return `Its worker is ${mapping.state.toLowerCase()} just now: the recovery sweep makes it so within two minutes.`;
  await mappings.setEnabled(mapping.uuid, enabled);
  return `Its worker ${passing} within a minute.`;
}

function theQueue({ args: [name, ...more] }: Input): QueueName {
  if (name === undefined || more.length > 0) throw new UsageError("Name one queue.");
  const queue = queueNamed(name);
  if (queue === "recovery-sweep")
    throw new UsageError("recovery-sweep cannot be paused: it is what ends the other queues' holds.");
  return queue;
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms === 0) throw new UsageError(`--for: "${text}" is no duration. Say for example 30m, 2h or 1d.`);
  if (ms > longestPauseMs) throw new UsageError("--for: at most 10d, since SQS drops a message after 14 days.");
  return ms;
}

const describe = ({ untilMs, reason, by }: PlacedHold): string =>
  `by the ${by}, ${untilMs === null ? "without an end" : `until ${iso(untilMs)}`}, ${reason}`;

const iso = (ms: number): string => new Date(ms).toISOString();
