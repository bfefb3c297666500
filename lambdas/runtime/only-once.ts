import type { QueueName } from "../../registry/queues.ts";
import { describeError, log } from "./logger.ts";
import { expiryAfter, type StateTable } from "./state-table.ts";
import type { MessageHandler } from "./worker.ts";

/** SQS delivers a message again at most as long as it keeps it: 14 days. */
const keptDays = 15;

const keyOf = (queue: QueueName, messageId: string) => ({ pk: `done#${queue}`, sk: messageId });

/**
 * Carries a message out once, for work that neither the ledger nor a unique key protects: a call that overwrites. Done
 * twice it does no harm, done again later it would put back what is old by then. Only a function that dies between
 * the call and this note lets it happen twice.
 */
export function onlyOnce<Q extends QueueName>(
  queue: Q,
  { table, now }: { table: StateTable; now: () => number },
  handle: MessageHandler<Q>,
): MessageHandler<Q> {
  return async (message) => {
    if (await wasDone(table, queue, message.id)) {
      log.info("message.done-before", { queue });
      return "done";
    }
    const outcome = await handle(message);
    await table
      .put(keyOf(queue, message.id), { expiresAt: expiryAfter(now(), keptDays) })
      // It is done: an error here would only have it done again.
      .catch((error: unknown) => log.warn("message.done-unrecorded", { queue, ...describeError(error) }));
    return outcome;
  };
}

/** Whether a message of such a queue was carried out before. */
export async function wasDone(table: StateTable, queue: QueueName, messageId: string): Promise<boolean> {
  return (await table.get(keyOf(queue, messageId))) !== undefined;
}
