import { makeEnvelope } from "../core/messages.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import { acceptedReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";

/** Starts a sweep of the database's outbox now instead of within a minute. What the poke says of itself is not needed. */
export const poke =
  (parts: { sender: MessageSender; now: () => number }): Route =>
  async (request) =>
    acceptedReply(await startSweep(parts, request.correlationId), request.correlationId);

/** Answers the message's id. */
export async function startSweep(
  { sender, now }: { sender: MessageSender; now: () => number },
  correlationId: string,
): Promise<string> {
  const envelope = makeEnvelope("outbox-sweep", {}, { businessKey: "outbox-sweep", correlationId, nowMs: now() });
  await sender.send("outbox-sweep", envelope);
  return envelope.id;
}
