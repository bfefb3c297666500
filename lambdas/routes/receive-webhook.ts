import { createHash } from "node:crypto";
import * as z from "zod";
import type { WebhookVendor } from "../../registry/webhook-vendors.ts";
import { contracts, makeEnvelope, type Payload } from "../core/messages.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import { Problem } from "./door/problem.ts";
import { acceptedReply } from "./door/reply.ts";
import { objectBody, parsed, type RouteRequest } from "./door/request.ts";
import type { Route } from "./door/zone.ts";

/** What of any vendor's event is looked at here. */
export const webhookBody = z.looseObject({
  id: z.string().optional(),
  type: z.string().min(1).max(200),
  /** Vercel, in milliseconds. */
  createdAt: z.number().optional(),
  /** Resend. */
  created_at: z.string().optional(),
  /** Polar. */
  timestamp: z.string().optional(),
});

/** Queues a webhook whose signature was checked. Whether it came before is for the worker's inbox to say. */
export const receiveWebhook =
  ({ sender, now }: { sender: MessageSender; now: () => number }): Route =>
  async (request, { vendor }) => {
    if (!vendor) throw new Problem("unauthorized", "The webhook is of no vendor we know.");
    const event = parsed(eventOf(vendor, request), contracts["webhook-events"], "invalid-body");
    const envelope = makeEnvelope("webhook-events", event, {
      businessKey: `webhook/${vendor}/${event.type}`,
      correlationId: request.correlationId,
      nowMs: now(),
      idempotency: { scope: `webhook/${vendor}`, key: event.dedupeKey },
    });
    await sender.send("webhook-events", envelope);
    return acceptedReply(envelope.id, request.correlationId);
  };

function eventOf(source: WebhookVendor, request: RouteRequest): Record<keyof Payload<"webhook-events">, unknown> {
  const data = objectBody(request);
  const { id, type, createdAt, created_at, timestamp } = parsed(data, webhookBody, "invalid-body");
  const { headers, body } = request;
  const dedupeKeys: Record<WebhookVendor, string | undefined> = {
    resend: headers["svix-id"],
    polar: headers["webhook-id"],
    vercel: id || headers["x-vercel-id"],
  };
  // A delivery without a key of its own is the same as another one with the same bytes.
  const dedupeKey = dedupeKeys[source] || createHash("sha256").update(body).digest("hex");
  return { source, dedupeKey, type, occurredAt: isoOf(createdAt ?? created_at ?? timestamp), data };
}

function isoOf(time: string | number | undefined): string | null {
  const date = new Date(time ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
