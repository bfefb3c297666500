import { interaction, makeEnvelope } from "../core/messages.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import type { QueueInspector } from "../runtime/queue-inspector.ts";
import { acceptedReply, jsonReply } from "./door/reply.ts";
import { jsonBody } from "./door/request.ts";
import type { Route } from "./door/zone.ts";

interface PulseRouteParts {
  sender: MessageSender;
  inspector: QueueInspector;
  now: () => number;
}

/**
 * Queues one interaction or an array of them; without a body it answers the queue's state. Of an array, the invalid
 * ones are listed by index and the rest is queued.
 */
export const pulse =
  ({ sender, inspector, now }: PulseRouteParts): Route =>
  async (request) => {
    if (request.body.byteLength === 0) return jsonReply(200, await inspector.inspect("pulse"));
    const body = jsonBody(request);
    const items = Array.isArray(body) ? body : [body];
    const key = request.headers["idempotency-key"];
    const refused: { index: number; reason: string }[] = [];
    const accepted: { index: number; envelope: ReturnType<typeof envelopeOfItem> }[] = [];
    const envelopeOfItem = (index: number, payload: ReturnType<typeof interaction.parse>) =>
      makeEnvelope("pulse", payload, {
        businessKey: `pulse/${payload.interaction_type}`,
        correlationId: request.correlationId,
        nowMs: now(),
        ...(key ? { idempotency: { scope: "pulse", key: `${key}/${index}` } } : {}),
      });
    for (const [index, item] of items.entries()) {
      const checked = interaction.safeParse(item);
      if (checked.success) accepted.push({ index, envelope: envelopeOfItem(index, checked.data) });
      else
        refused.push({
          index,
          reason: checked.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
        });
    }
    const failed = await sender.sendAll(
      "pulse",
      accepted.map(({ envelope }) => envelope),
    );
    for (const { index, reason } of failed) refused.push({ index: accepted[index]?.index ?? index, reason });

    const queued = items.length - refused.length;
    if (refused.length === 0)
      return acceptedReply(accepted[0]?.envelope.id ?? request.correlationId, request.correlationId);
    return jsonReply(queued > 0 ? 207 : 400, {
      success: false,
      queued,
      refused: refused.sort((left, right) => left.index - right.index),
      correlation_id: request.correlationId,
    });
  };
