import type { QueueName } from "../../registry/queues.ts";
import { contractOf, type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import type { QueueInspector } from "../runtime/queue-inspector.ts";
import { Problem } from "./door/problem.ts";
import { acceptedReply, jsonReply } from "./door/reply.ts";
import { jsonBody, parsed } from "./door/request.ts";
import type { Route } from "./door/zone.ts";

/** More than this in one request could not be queued before the API gives up. */
const maximumItems = 10_000;
/** Beyond so many, refused items are listed without their reasons: the answer is kept for repetitions, up to 400 KB. */
const explainedItems = 1_000;
const reasonLength = 200;

interface EnqueueItemsParts<Q extends QueueName> {
  /** What an item is about, for people and for FIFO groups; nothing personal. */
  businessKey: (payload: Payload<Q>) => string;
  sender: MessageSender;
  inspector: QueueInspector;
  now: () => number;
}

interface RefusedItem {
  index: number;
  reason: string;
}

/**
 * Queues one item or an array of them, each judged apart; without a body it answers the queue's state. Of an array,
 * the refused ones are listed by index with 207 and the rest is queued. A repetition with the same Idempotency-Key
 * makes the same messages.
 */
export const enqueueItems =
  <Q extends QueueName>(queue: Q, { businessKey, sender, inspector, now }: EnqueueItemsParts<Q>): Route =>
  async (request) => {
    if (request.body.byteLength === 0) return jsonReply(200, await inspector.inspect(queue));
    const contract = contractOf(queue);
    const key = request.headers["idempotency-key"];
    const envelope = (payload: Payload<Q>, index: number): Envelope<Payload<Q>> =>
      makeEnvelope(queue, payload, {
        businessKey: businessKey(payload),
        correlationId: request.correlationId,
        nowMs: now(),
        ...(key ? { idempotency: { scope: queue, key: `${key}/${index}` } } : {}),
      });

    const body = jsonBody(request);
    if (!Array.isArray(body)) {
      const message = envelope(parsed(body, contract, "invalid-body"), 0);
      await sender.send(queue, message);
      return acceptedReply(message.id, request.correlationId);
    }
    if (body.length === 0) throw new Problem("invalid-body", "The array is empty; send no body to ask for the state.");
    if (body.length > maximumItems)
      throw new Problem("body-too-large", `Send at most ${maximumItems} items at once, not ${body.length}.`);

    const refused: RefusedItem[] = [];
    const accepted: { index: number; message: Envelope<Payload<Q>> }[] = [];
    for (const [index, item] of body.entries()) {
      const checked = contract.safeParse(item);
      if (checked.success) accepted.push({ index, message: envelope(checked.data, index) });
      else refused.push({ index, reason: reasonOf(checked.error.issues) });
    }
    const failed = await sender.sendAll(
      queue,
      accepted.map(({ message }) => message),
    );
    for (const { index, reason } of failed) refused.push({ index: accepted[index]?.index ?? index, reason });
    refused.sort((left, right) => left.index - right.index);

    const queued = body.length - refused.length;
    if (queued === 0) throw noneQueued(refused, accepted.length > 0);
    if (refused.length === 0)
      return acceptedReply(accepted[0]?.message.id ?? request.correlationId, request.correlationId);
    return jsonReply(207, {
      success: false,
      queued,
      refused: refused.map(({ index, reason }, position) =>
        position < explainedItems ? { index, reason } : { index },
      ),
      correlation_id: request.correlationId,
    });
  };

/** When some were valid, the queue itself refused them, and they may come again. */
function noneQueued(refused: RefusedItem[], someWereValid: boolean): Problem {
  const errors = refused
    .slice(0, explainedItems)
    .map(({ index, reason }) => ({ field: String(index), message: reason }));
  return someWereValid
    ? new Problem("unavailable", "The queue took none of the items; try again.", { errors })
    : new Problem("invalid-body", `None of the ${refused.length} items is valid.`, { errors });
}

function reasonOf(issues: { path: PropertyKey[]; message: string }[]): string {
  return issues
    .map(({ path, message }) => `${path.join(".")}: ${message}`)
    .join("; ")
    .slice(0, reasonLength);
}
