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

/** Why the latest attempt at a message failed: SQS's own redrive keeps the message but not the reason. */
export async function recordFailure(
  table: StateTable,
  failure: { queue: QueueName; envelope: Envelope; error: Error; attempt: number; nowMs: number },
): Promise<void> {
  const { queue, envelope, error, attempt, nowMs } = failure;
  await table.put(
    { pk: `failure#${queue}`, sk: envelope.id },
    {
      ...describeError(error),
      fingerprint: fingerprint(error),
      attempts: attempt,
      correlationId: envelope.correlationId,
      firstSeenAt: envelope.firstSeenAt,
      failedAt: new Date(nowMs).toISOString(),
      // Messages live at most 14 days in the queue and 14 more among the dead letters.
      expiresAt: expiryAfter(nowMs, 30),
    },
  );
}
