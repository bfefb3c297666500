import { createHash, randomUUID } from "node:crypto";
import * as z from "zod";
import type { QueueName } from "../../registry/queues.ts";
import { transactionalMessage } from "../emails/transactional.ts";
import { emailAddress } from "./email-address.ts";

/** Postgres can store neither NUL nor half a surrogate pair, so a message that holds one could only ever be dead-lettered. */
const isStorable = (value: string): boolean => !value.includes("\0") && value.isWellFormed();
const unstorable = { error: "must hold neither NUL nor half a surrogate pair" };

const text = (max: number) => z.string().max(max).refine(isStorable, unstorable);

function isStorableJson(value: unknown): boolean {
  let storable = true;
  JSON.stringify(value, (key, part: unknown) => {
    storable &&= isStorable(key) && (typeof part !== "string" || isStorable(part));
    return part;
  });
  return storable;
}

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

/** Only the welcome of a subscription that is there already; it is sent once, whoever asks. */
const welcome = z.object({ kind: z.literal("welcome"), subscriptionId: z.uuid() });

/** One thing a visitor did on the site. `event_id` makes a second delivery of it count once. */
export const interaction = z.object({
  event_id: text(100).min(1).nullish(),
  user_id: text(100).nullish(),
  content_type: text(50).nullable(),
  content_slug: text(200).nullable(),
  interaction_type: text(50).min(1),
  session_id: text(100).nullish(),
  metadata: z.json().nullish().refine(isStorableJson, unstorable),
});

const contact = z.object({ subscriptionId: z.uuid() });

/** `ledgerKey` is the business key under which the mail goes out at most once, and Resend's idempotency key. */
const email = transactionalMessage.and(z.object({ ledgerKey: text(200).min(1) }));

/** A webhook whose signature was checked; `data` is the vendor's whole payload. */
const webhookEvent = z.object({
  source: z.enum(["resend", "polar", "vercel"]),
  /** The same for every delivery of one event. */
  dedupeKey: text(500).min(1),
  type: text(200).min(1),
  occurredAt: z.iso.datetime({ offset: true }).nullable(),
  data: z.record(z.string(), z.json()).refine(isStorableJson, unstorable),
});

const pageKey = z.object({ category: text(50).min(1), slug: text(200).min(1), tags: z.array(text(200)).default([]) });

/** A row whose pages are cached by the site, as it is now and as it was before. */
const rowChange = z.object({
  table: text(100).min(1),
  change: z.enum(["INSERT", "UPDATE", "DELETE"]),
  current: pageKey.nullish(),
  former: pageKey.nullish(),
});

const job = z.object({ job_id: z.uuid(), change: z.enum(["INSERT", "UPDATE", "DELETE"]) });
const submission = z.object({ submission_id: z.uuid(), change: z.enum(["INSERT", "UPDATE", "DELETE"]) });

/** A picture to be made of an entry or a company. SQS takes 1 MiB, which bounds the picture inside. */
const imageFields = {
  image_url: text(2048).nullish(),
  priority: z.enum(["high", "normal", "low"]).nullish(),
  created_at: text(50).nullish(),
};
const imageData = z.base64().min(1).max(900_000);
const cardParameters = z.object({
  title: text(500).trim().min(1),
  description: text(10_000).optional(),
  category: text(50).optional(),
  slug: text(200).optional(),
  author: text(200).optional(),
  tags: z.array(text(200)).optional(),
  featured: z.boolean().optional(),
  rating: z.number().nullish(),
  viewCount: z.number().optional(),
});
const image = z.discriminatedUnion("type", [
  z.object({ ...imageFields, type: z.literal("card"), content_id: text(100).min(1).nullish(), params: cardParameters }),
  z.object({ ...imageFields, type: z.literal("thumbnail"), content_id: text(100).min(1), image_data: imageData }),
  z.object({ ...imageFields, type: z.literal("logo"), company_id: text(100).min(1), image_data: imageData }),
]);

/** The payload each queue carries; producers and consumers both check against it. */
export const contracts = {
  subscription: z.discriminatedUnion("kind", [subscribe, unsubscribe, welcome]),
  pulse: interaction,
  "segment-sync": contact,
  "segment-recovery": contact,
  email,
  "webhook-events": webhookEvent,
  "outbox-sweep": z.object({}),
  "recovery-sweep": z.object({}),
  revalidation: rowChange,
  "changelog-process": z.object({ webhook_event_id: z.uuid(), deployment_id: text(200).nullish() }),
  "changelog-notify": z.object({ entry_id: z.uuid() }),
  "discord-jobs": job,
  "discord-submissions": submission,
  "embedding-generation": z.object({ content_id: z.uuid() }),
  "image-generation": image,
  "package-generation": z.object({ content_id: z.uuid(), category: text(50).min(1), slug: text(200).min(1) }),
} as const satisfies Record<QueueName, z.ZodType>;

export type Payload<Q extends QueueName> = z.infer<(typeof contracts)[Q]>;

/** A queue's contract by itself, for a payload that has no envelope yet. */
export function contractOf<Q extends QueueName>(queue: Q): z.ZodType<Payload<Q>>;
export function contractOf(queue: QueueName): z.ZodType {
  return contracts[queue];
}

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
  /** When an operator last sent it back to its queue; from then on its waiting counts anew. */
  redrivenAt: z.iso.datetime().optional(),
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
