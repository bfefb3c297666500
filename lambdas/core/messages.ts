import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import type { QueueName } from "../../registry/queues.ts";

const text = (max: number) => z.string().max(max);

/**
 * Trimmed, lower-cased, at most 254 characters. Stricter than RFC 5322 in one point that the database shares: the
 * domain must have a dot.
 */
export const emailAddress = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(/^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/, {
    error: "must be an email address such as name@example.com",
  })
  .refine((address) => !address.includes(".."), { error: "must not contain two dots in a row" });

const subscribe = z.object({
  kind: z.literal("subscribe"),
  email: emailAddress,
  source: text(100).nullish(),
  referrer: text(500).nullish(),
  copy_type: text(50).nullish(),
  copy_category: text(50).nullish(),
  copy_slug: text(200).nullish(),
});

const unsubscribe = z.object({
  kind: z.literal("unsubscribe"),
  subscriptionId: z.uuid(),
  reason: z.enum(["one-click", "page"]),
});

/** One thing a visitor did on the site. `event_id` makes a second delivery of it count once. */
export const interaction = z.object({
  event_id: text(100).min(1).nullish(),
  user_id: text(100).nullish(),
  content_type: text(50).nullable(),
  content_slug: text(200).nullable(),
  interaction_type: text(50).min(1),
  session_id: text(100).nullish(),
  metadata: z.json().nullish(),
});

const contact = z.object({ subscriptionId: z.uuid() });

/** The payload each queue carries; producers and consumers both check against it. */
export const contracts = {
  subscription: z.discriminatedUnion("kind", [subscribe, unsubscribe]),
  pulse: interaction,
  "segment-sync": contact,
  "segment-recovery": contact,
} as const satisfies Record<QueueName, z.ZodType>;

export type Payload<Q extends QueueName> = z.infer<(typeof contracts)[Q]>;

/** What surrounds each payload. Consumers key on `id`, never on SQS's messageId, which changes on every send. */
const envelopeFields = z.object({
  id: z.string().min(1).max(128),
  type: z.string(),
  correlationId: z.string().min(1).max(128),
  /** What the message is about, for people and for FIFO groups. */
  businessKey: z.string().min(1).max(256),
  occurredAt: z.iso.datetime(),
  firstSeenAt: z.iso.datetime(),
  /** How often the message was sent again because it had to wait. */
  deferrals: z.int().min(0),
});

export type Envelope<P = unknown> = z.infer<typeof envelopeFields> & { payload: P };

export function envelopeOf<Q extends QueueName>(queue: Q): z.ZodType<Envelope<Payload<Q>>>;
export function envelopeOf(queue: QueueName): z.ZodType<Envelope> {
  return envelopeFields.extend({ type: z.literal(queue), payload: contracts[queue] });
}

/** A new message for a queue. The same `idempotencyKey` in the same scope gives the same id: two sends, one message. */
export function makeEnvelope<Q extends QueueName>(
  queue: Q,
  payload: Payload<Q>,
  about: {
    businessKey: string;
    correlationId: string;
    nowMs: number;
    idempotency?: { scope: string; key: string };
  },
): Envelope<Payload<Q>> {
  const at = new Date(about.nowMs).toISOString();
  return {
    id: about.idempotency ? messageId(about.idempotency.scope, about.idempotency.key) : randomUUID(),
    type: queue,
    correlationId: about.correlationId,
    businessKey: about.businessKey,
    occurredAt: at,
    firstSeenAt: at,
    deferrals: 0,
    payload,
  };
}

/** A 64-character id that depends on nothing but scope and key. */
export function messageId(scope: string, key: string): string {
  return createHash("sha256").update(`${scope}\n${key}`).digest("hex");
}
