import { contracts, makeEnvelope, messageId } from "../core/messages.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import { Problem } from "./door/problem.ts";
import { acceptedReply } from "./door/reply.ts";
import { jsonBody, parsed } from "./door/request.ts";
import type { Route } from "./door/zone.ts";

/** Queues a subscription; the address is checked here so that a typing error is answered at once. */
export const emailSubscribe =
  ({ sender, now }: { sender: MessageSender; now: () => number }): Route =>
  async (request) => {
    const body = jsonBody(request);
    if (typeof body !== "object" || body === null || Array.isArray(body))
      throw new Problem("invalid-body", "Send one JSON object with at least an email.");
    const wish = parsed({ ...body, kind: "subscribe" }, contracts.subscription, "invalid-body");
    const key = request.headers["idempotency-key"];
    const envelope = makeEnvelope("subscription", wish, {
      // The address itself is no name for logs and consoles.
      businessKey: wish.kind === "subscribe" ? `subscribe/${messageId("email", wish.email).slice(0, 16)}` : wish.kind,
      correlationId: request.correlationId,
      nowMs: now(),
      ...(key ? { idempotency: { scope: "email-subscribe", key } } : {}),
    });
    await sender.send("subscription", envelope);
    return acceptedReply(envelope.id, request.correlationId);
  };
