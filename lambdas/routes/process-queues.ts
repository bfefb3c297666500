import * as z from "zod";
import type { QueueName } from "../../registry/queues.ts";
import type { QueueInspector, QueueState } from "../runtime/queue-inspector.ts";
import { jsonReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";

/** What the original answered, by queue and in all. */
export const queueSummary = z.object({
  totalQueues: z.int(),
  queuesWithMessages: z.int(),
  queuesAttempted: z.int(),
  queuesSucceeded: z.int(),
  totalMessagesProcessed: z.int(),
  results: z.array(
    z.object({
      queue: z.string(),
      success: z.boolean(),
      /** Waiting, delayed and in work. */
      queueLength: z.int().nullable(),
      error: z.string().optional(),
      /** Put on the queue by this call. */
      processed: z.int(),
    }),
  ),
});

/** Puts work that waits outside its queue on the queue; answers how many messages that was. */
export type Requeue = (correlationId: string) => Promise<number>;

interface ProcessQueuesParts {
  inspector: QueueInspector;
  /** By queue, for those whose work can wait elsewhere. */
  requeue: Partial<Record<QueueName, Requeue>>;
}

/**
 * The summary of the original, which drained the queues here one after another. Workers do that by themselves now, so
 * this tells how each queue fares and requeues what waits outside: it starts a sweep of the database's outbox. Dead
 * letters and parked mails stay for an operator, who can tell why they are there. A number that could not be read is
 * null and its queue no success: unknown is not empty.
 */
export const processQueues =
  ({ inspector, requeue }: ProcessQueuesParts): Route =>
  async (request) => {
    const states = await inspector.inspectAll();
    const results = await Promise.all(
      states.map(async (state) => ({
        ...resultOf(state),
        processed: (await requeue[state.queue]?.(request.correlationId)) ?? 0,
      })),
    );
    const attempted = results.filter(({ queueLength }) => queueLength !== 0);
    const summary: z.infer<typeof queueSummary> = {
      totalQueues: results.length,
      queuesWithMessages: results.filter(({ queueLength }) => (queueLength ?? 0) > 0).length,
      queuesAttempted: attempted.length,
      queuesSucceeded: attempted.filter(({ success }) => success).length,
      totalMessagesProcessed: results.reduce((sum, { processed }) => sum + processed, 0),
      results,
    };
    return jsonReply(200, { success: true, summary, correlation_id: request.correlationId });
  };

function resultOf({ queue, queue_length, in_flight, delayed, dead_letters, error_streak }: QueueState) {
  const readable = queue_length !== null && in_flight !== null && delayed !== null;
  const problems = [
    ...(readable ? [] : ["the queue's length could not be read"]),
    ...(error_streak ? [`its last ${error_streak} batches failed`] : []),
    ...(dead_letters ? [`${dead_letters} dead letters`] : []),
  ];
  return {
    queue,
    success: problems.length === 0,
    queueLength: readable ? queue_length + in_flight + delayed : null,
    ...(problems.length > 0 ? { error: problems.join("; ") } : {}),
  };
}
