import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import { queueUrl } from "../runtime/configuration.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { now, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

/** Puts a contact back on the FIFO queue once its delay is over: a FIFO queue cannot delay one message itself. */
export function createSegmentRecoveryHandler({ sender, now }: { sender: MessageSender; now: () => number }) {
  return async ({
    payload,
    correlationId,
    id,
    firstSeenAt,
  }: Envelope<Payload<"segment-recovery">>): Promise<Settled> => {
    const about = {
      businessKey: payload.subscriptionId,
      correlationId,
      nowMs: now(),
      idempotency: { scope: "segment-recovery", key: id },
    };
    await sender.send("segment-sync", { ...makeEnvelope("segment-sync", payload, about), firstSeenAt });
    return "done";
  };
}

export const handler = createWorker("segment-recovery", async () => ({
  table: realTable(),
  now,
  handle: createSegmentRecoveryHandler({ sender: createMessageSender(queueUrl), now }),
}));
