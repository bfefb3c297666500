import * as z from "zod";
import { segmentForScore } from "../core/engagement.ts";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import { InvalidInput } from "../core/outcome.ts";
import { addressesOf, fateOf, type ResendEvent, resendEvent } from "../core/resend-event.ts";
import type { ResendProvider } from "../providers/resend.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import type { MailLedger } from "./mail-ledger.ts";
import type { MessageSender } from "./message-sender.ts";
import { signal } from "./metrics.ts";

export interface ResendEventParts {
  supabase: SupabaseProvider;
  resend: Pick<ResendProvider, "setUnsubscribed">;
  ledger: Pick<MailLedger, "settle">;
  sender: MessageSender;
  now: () => number;
}

const applied = z.object({
  known: z.boolean(),
  email: z.string().nullable(),
  subscription_id: z.uuid().nullable(),
  score_before: z.number().nullable(),
  score_after: z.number().nullable(),
  status_changed: z.boolean(),
  suppress_at_resend: z.boolean(),
});
type Effect = z.infer<typeof applied>;

/**
 * Lets an event of Resend's mean what it says: counters, score and suppression in the database, the fate in the
 * mail's ledger record, the contact's segment, and Resend's own consent. Every step may run again.
 */
export async function applyResendEvent(
  parts: ResendEventParts,
  webhookEventId: string,
  message: Envelope<Payload<"webhook-events">>,
): Promise<Record<string, unknown>> {
  const { type, data } = message.payload;
  const parsed = resendEvent.safeParse(data);
  if (!parsed.success)
    throw new InvalidInput(`Resend's ${type} is not as documented: ${z.prettifyError(parsed.error)}`);
  const event = parsed.data;

  const effects: Effect[] = [];
  for (const email of addressesOf(type, event)) effects.push(await applyTo(parts, email, event, message));
  if (effects.some(({ known }) => !known))
    signal("webhook-unknown-type", { webhookEventId, source: message.payload.source, type });

  const fate = fateOf(type);
  const tag = event.data.tags?.ledger;
  const ledger = fate && tag ? await parts.ledger.settle(tag, fate, event.data.email_id ?? null) : "none";
  for (const effect of effects) await follow(parts, webhookEventId, effect, message);
  return { recipients: effects.length, ledger };
}

function applyTo(
  { supabase, now }: ResendEventParts,
  email: string | null,
  { data }: ResendEvent,
  { payload: { dedupeKey, type, occurredAt } }: Envelope<Payload<"webhook-events">>,
): Promise<Effect> {
  const nowIso = new Date(now()).toISOString();
  const facts = {
    event_id: dedupeKey,
    type,
    occurred_at: occurredAt ?? nowIso,
    email,
    email_id: data.email_id ?? null,
    bounce_type: data.bounce?.type ?? null,
    reason: data.bounce?.message ?? null,
    contact_id: type.startsWith("contact.") ? (data.id ?? null) : null,
    unsubscribed: data.unsubscribed ?? null,
  };
  return supabase.call("apply_resend_event", { p: facts, p_now: nowIso }, applied);
}

async function follow(
  { resend, sender, now }: ResendEventParts,
  webhookEventId: string,
  effect: Effect,
  { correlationId }: Envelope,
): Promise<void> {
  const { subscription_id: subscriptionId, score_before: before, score_after: after } = effect;
  const moved = before !== null && after !== null && segmentForScore(before) !== segmentForScore(after);
  if (subscriptionId && (moved || effect.status_changed)) {
    const about = {
      businessKey: subscriptionId,
      correlationId,
      nowMs: now(),
      idempotency: { scope: "webhook-event", key: `${webhookEventId}/${subscriptionId}` },
    };
    await sender.send("segment-sync", makeEnvelope("segment-sync", { subscriptionId }, about));
  }
  if (effect.suppress_at_resend && effect.email) await resend.setUnsubscribed(effect.email, true);
}
