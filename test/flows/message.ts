import { makeEnvelope, type Payload } from "../../lambdas/core/messages.ts";
import type { QueueName } from "../../registry/queues.ts";
import type { FlowStation } from "./station.ts";

/** Puts a message on a queue as a route would, of the station's present time or of `occurredAt`; answers its id. */
export async function sendMessage<Q extends QueueName>(
  station: FlowStation,
  queue: Q,
  payload: Payload<Q>,
  { occurredAt, correlationId = "from-a-test" }: { occurredAt?: string; correlationId?: string } = {},
): Promise<string> {
  const { now } = await station.report();
  const envelope = makeEnvelope(queue, payload, {
    businessKey: "from-a-test",
    correlationId,
    nowMs: Date.parse(occurredAt ?? now),
  });
  await station.enqueue(queue, envelope);
  return envelope.id;
}
