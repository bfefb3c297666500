import * as z from "zod";
import type { QueueName } from "../../registry/queues.ts";
import { fingerprint } from "../core/failure.ts";
import type { Envelope } from "../core/messages.ts";
import type { Outcome } from "../core/outcome.ts";
import { describeError } from "./logger.ts";
import { expiryAfter, type StateTable } from "./state-table.ts";

const queueKey = (queue: QueueName) => ({ pk: "queue", sk: queue });

/** How a queue fared lately; what `/health` shows beside its depth. */
export interface QueueRecord {
  lastSuccessAt: string | null;
  /** Batches in a row in which something failed and nothing succeeded. */
  errorStreak: number;
}

const stored = z.object({ lastSuccessAt: z.string().nullable(), errorStreak: z.number() });

export async function readQueueRecord(table: StateTable, queue: QueueName): Promise<QueueRecord> {
  const item = await table.get(queueKey(queue));
  return item ? stored.parse(item) : { lastSuccessAt: null, errorStreak: 0 };
}

/** One write per batch, not per message. A batch that was only deferred says nothing about the queue. */
export async function recordBatch(
  table: StateTable,
  queue: QueueName,
  outcomes: Outcome[],
  nowMs: number,
): Promise<void> {
  const succeeded = outcomes.some((outcome) => outcome === "done" || outcome === "suppressed");
  const failed = outcomes.some((outcome) => outcome === "failing" || outcome === "invalid");
  if (succeeded)
    await table.update(queueKey(queue), {
      expression: "SET lastSuccessAt = :at, errorStreak = :none",
      values: { ":at": new Date(nowMs).toISOString(), ":none": 0 },
    });
  else if (failed)
    await table.update(queueKey(queue), {
      expression:
        "SET lastSuccessAt = if_not_exists(lastSuccessAt, :never), errorStreak = if_not_exists(errorStreak, :none) + :one",
      values: { ":never": null, ":none": 0, ":one": 1 },
    });
}

/** Long enough for the frames of our own code, short enough for thousands of records. */
const stackLength = 2000;

const failureKey = (queue: QueueName, envelopeId: string) => ({ pk: `failure#${queue}`, sk: envelopeId });

const failureRecord = z.object({
  errorName: z.string(),
  errorMessage: z.string(),
  /** Absent in records of earlier versions. */
  stack: z.string().nullish(),
  fingerprint: z.string(),
  attempts: z.int(),
  correlationId: z.string(),
  firstSeenAt: z.string(),
  failedAt: z.string(),
  /** When the message was sent back to its queue since then. */
  redrivenAt: z.string().optional(),
});
export type FailureRecord = z.infer<typeof failureRecord>;

/** Why the latest attempt at a message failed: SQS's own redrive keeps the message but not the reason. */
export async function recordFailure(
  table: StateTable,
  failure: { queue: QueueName; envelope: Envelope; error: Error; attempt: number; nowMs: number },
): Promise<void> {
  const { queue, envelope, error, attempt, nowMs } = failure;
  const record: FailureRecord = {
    ...describeError(error),
    stack: error.stack?.slice(0, stackLength) ?? null,
    fingerprint: fingerprint(error),
    attempts: attempt,
    correlationId: envelope.correlationId,
    firstSeenAt: envelope.firstSeenAt,
    failedAt: new Date(nowMs).toISOString(),
  };
  // Messages live at most 14 days in the queue and 14 more among the dead letters.
  await table.put(failureKey(queue, envelope.id), { ...record, expiresAt: expiryAfter(nowMs, 30) });
}

/** The record that a failed attempt left; none when the function died, or when the message never failed. */
export async function readFailure(
  table: StateTable,
  queue: QueueName,
  envelopeId: string,
): Promise<FailureRecord | undefined> {
  const item = await table.get(failureKey(queue, envelopeId));
  return item ? failureRecord.parse(item) : undefined;
}

/** Notes that the message was sent back to its queue, unless it has failed again meanwhile: then the record is a new one. */
export async function recordRedrive(
  table: StateTable,
  { queue, envelopeId, failedAt, nowMs }: { queue: QueueName; envelopeId: string; failedAt: string; nowMs: number },
): Promise<void> {
  await table.update(
    failureKey(queue, envelopeId),
    {
      expression: "SET redrivenAt = :at",
      values: { ":at": new Date(nowMs).toISOString(), ":failedAt": failedAt },
    },
    "failedAt = :failedAt",
  );
}
