import * as z from "zod";
import type { ContactProperties } from "../../registry/contact-properties.ts";
import { initialScore, segmentForScore } from "../core/engagement.ts";
import { primaryInterest, topicsForInterest } from "../core/interests.ts";
import { welcomeKey } from "../core/ledger-keys.ts";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import { InvalidInput, type Settled } from "../core/outcome.ts";
import type { StationConfig } from "../core/station.ts";
import type { ResendProvider } from "../providers/resend.ts";
import { nothing, type SupabaseProvider } from "../providers/supabase.ts";
import { publicApiUrl, queueUrl, requiredSecrets, station } from "../runtime/configuration.ts";
import { log } from "../runtime/logger.ts";
import { createMailLedger, ledgerKeptDays, type MailLedger } from "../runtime/mail-ledger.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { type MailSettings, newsletterMail } from "../runtime/newsletter-mail.ts";
import { now, realResend, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface SubscriptionParts {
  supabase: SupabaseProvider;
  resend: ResendProvider;
  ledger: MailLedger;
  sender: MessageSender;
  settings: MailSettings;
  audience: StationConfig["resend"];
  now: () => number;
}

type Subscribe = Extract<Payload<"subscription">, { kind: "subscribe" }>;
type Unsubscribe = Extract<Payload<"subscription">, { kind: "unsubscribe" }>;

const subscribed = z.object({
  subscription_id: z.uuid(),
  email: z.string(),
  was_new: z.boolean(),
  was_resubscribed: z.boolean(),
  /** When they subscribed for the first time. */
  subscribed_at: z.iso.datetime({ offset: true }),
  sync_status: z.enum(["pending", "synced", "failed", "skipped"]),
  engagement_score: z.number(),
  suppressed: z.boolean(),
});
type Subscription = z.infer<typeof subscribed>;

const unsubscribed = z.object({ email: z.string().nullable(), changed: z.boolean() });

/** Carries out what people ask for about their newsletter; every step may run again without a second effect. */
export function createSubscriptionHandler(parts: SubscriptionParts) {
  return async (message: Envelope<Payload<"subscription">>): Promise<Settled> => {
    const { payload } = message;
    switch (payload.kind) {
      case "subscribe":
        return subscribe(parts, payload, message);
      case "unsubscribe":
        return unsubscribe(parts, payload, message);
      case "welcome":
        return welcomeAgain(parts, payload.subscriptionId);
    }
  };
}

async function subscribe(parts: SubscriptionParts, wish: Subscribe, message: Envelope): Promise<Settled> {
  const interest = primaryInterest(wish.copy_category);
  const topics = topicsForInterest(interest);
  const copied = wish.copy_type && wish.copy_type !== "none" ? 1 : 0;
  const subscription = await parts.supabase.call(
    "subscribe_newsletter",
    {
      p_email: wish.email,
      p_source: wish.source ?? null,
      p_referrer: wish.referrer ?? null,
      p_copy_type: wish.copy_type ?? null,
      p_copy_category: wish.copy_category ?? null,
      p_copy_slug: wish.copy_slug ?? null,
      p_engagement_score: initialScore(wish.source, wish.copy_type),
      p_primary_interest: interest,
      p_total_copies: copied,
      p_topics: topics,
      p_now: message.firstSeenAt,
    },
    subscribed,
  );
  if (subscription.suppressed) {
    log.info("subscription.suppressed", { subscriptionId: subscription.subscription_id });
    // An attempt that failed half-way may have told Resend that they want mail, when they had just left. Skipped are those
    // who were blocked from the start.
    if (subscription.sync_status !== "skipped") await parts.resend.setUnsubscribed(subscription.email, true);
    return parts.ledger.giveUp(welcomeKey(subscription.subscription_id), "whoever subscribed gets no mail any more");
  }
  const isBeginning = subscription.was_new || subscription.was_resubscribed;
  if (isBeginning) await refreshSite(parts, subscription, message);
  if (subscription.sync_status !== "synced") {
    await syncContact(
      parts,
      subscription,
      { wish, topics, message },
      {
        signup_source: wish.source ?? "unknown",
        copy_type: wish.copy_type ?? "none",
        primary_interest: interest,
        signup_page: wish.referrer ?? "/",
        engagement_score: subscription.engagement_score,
        total_copies: copied,
        last_active: message.firstSeenAt,
      },
    );
  }
  // Somebody who asks again is owed a welcome only where an earlier message died before its own was sent.
  const mayLackWelcome = parts.now() - Date.parse(subscription.subscribed_at) < welcomeRememberedMs;
  return isBeginning || mayLackWelcome ? welcome(parts, subscription) : "done";
}

/**
 * While the first subscription is younger, its welcome's ledger record is still there, if ever one was begun. A later
 * one says nothing: whoever came back while the record was there got no welcome, and the record was not renewed.
 */
const welcomeRememberedMs = (ledgerKeptDays - 1) * 86_400_000;

/** Makes the site's pages about the newsletter stale. Delivered again, it is the same message. */
async function refreshSite(
  { sender, now }: SubscriptionParts,
  { subscription_id: subscriptionId, was_new }: Subscription,
  { correlationId, firstSeenAt }: Envelope,
): Promise<void> {
  const about = {
    businessKey: "revalidation/newsletter_subscriptions",
    correlationId,
    nowMs: now(),
    idempotency: { scope: "subscription/revalidation", key: `${subscriptionId}/${firstSeenAt}` },
  };
  const change = { table: "newsletter_subscriptions", change: was_new ? "INSERT" : "UPDATE" } as const;
  await sender.send("revalidation", makeEnvelope("revalidation", change, about));
}

/** One call makes a new contact with everything; an address that Resend knows already is brought up to date. */
async function syncContact(
  { resend, supabase, sender, audience, now }: SubscriptionParts,
  subscription: Subscription,
  { wish, topics, message }: { wish: Subscribe; topics: ReturnType<typeof topicsForInterest>; message: Envelope },
  properties: ContactProperties,
): Promise<void> {
  const { subscription_id: subscriptionId, email } = subscription;
  const contact = { email, properties, topicIds: topics.map((topic) => audience.topics[topic]) };
  // The score at sign-up and not the present one: whichever attempt created the contact, it is in this segment.
  const initial = segmentForScore(initialScore(wish.source, wish.copy_type));
  const segmentIds = [audience.segments.newsletter, audience.segments[initial]];
  const created = await resend.createContact({ ...contact, segmentIds });
  // Resend answers the same for a new contact and for one it had already and left as it was; so whoever may have
  // been there before is also brought up to date.
  const mayHaveExisted = created === null || !subscription.was_new;
  const contactId = mayHaveExisted
    ? await resend.completeContact({ ...contact, segmentIds: [audience.segments.newsletter] })
    : created;
  const record = (status: "pending" | "synced") =>
    supabase.call(
      "record_contact_sync",
      {
        p_subscription_id: subscriptionId,
        p_contact_id: contactId,
        p_status: status,
        p_error: null,
        p_topics: topics,
        p_now: message.firstSeenAt,
      },
      nothing,
    );
  await record("pending");
  // Until now the segment workflow knew no contact to move, so a change of the score meanwhile had no effect. And nobody
  // knows which engagement segment an existing contact is in: both are the workflow's to find out.
  const { engagement_score: score, status } = await supabase.call(
    "get_subscription_engagement",
    { p_subscription_id: subscriptionId },
    z.object({ engagement_score: z.number(), status: z.string() }),
  );
  // Whoever left meanwhile told Resend before it knew the contact, or was overtaken by what was just called.
  if (status !== "active") await resend.setUnsubscribed(email, true);
  if (mayHaveExisted || segmentForScore(score) !== initial)
    await sender.send(
      "segment-sync",
      makeEnvelope(
        "segment-sync",
        { subscriptionId },
        {
          businessKey: subscriptionId,
          correlationId: message.correlationId,
          nowMs: now(),
          idempotency: { scope: "subscribe", key: message.id },
        },
      ),
    );
  // Last: an attempt that died before would not be repeated once this is written.
  await record("synced");
}

const present = z.object({ email: z.string(), status: z.string() }).nullable();
const blocked = z.array(z.object({ email: z.string() }));

/** The welcome alone, for whoever still wants mail; under the ledger's key it goes out once in all. */
async function welcomeAgain(parts: SubscriptionParts, subscriptionId: string): Promise<Settled> {
  const { supabase } = parts;
  const subscription = await supabase.call(
    "get_subscription_engagement",
    { p_subscription_id: subscriptionId },
    present,
  );
  if (!subscription) throw new InvalidInput(`There is no subscription ${subscriptionId}.`);
  const { email, status } = subscription;
  const block = await supabase.call("get_blocked_emails", { p_emails: [email] }, blocked);
  if (status === "active" && block.length === 0) return welcome(parts, { subscription_id: subscriptionId, email });
  log.info("subscription.suppressed", { subscriptionId });
  return parts.ledger.giveUp(welcomeKey(subscriptionId), "whoever subscribed gets no mail any more");
}

async function welcome(
  { ledger, resend, settings }: SubscriptionParts,
  subscription: Pick<Subscription, "subscription_id" | "email">,
): Promise<Settled> {
  const { subscription_id: subscriptionId, email } = subscription;
  const key = welcomeKey(subscriptionId);
  const mail = await newsletterMail(
    { template: "newsletter-welcome" },
    { email, subscriptionId },
    { from: "hello", ledgerKey: key, tags: { type: "newsletter" } },
    settings,
  );
  const { outcome } = await ledger.send({
    key,
    payload: mail,
    acquire: () => resend.acquire("urgent"),
    call: async (idempotencyKey) => [await resend.sendMail(mail, idempotencyKey)],
  });
  return outcome === "parked" ? "parked" : "done";
}

/** Ours first: from then on nothing is sent. Resend's own consent follows, since broadcasts go by it. */
async function unsubscribe(
  parts: SubscriptionParts,
  { subscriptionId, reason }: Unsubscribe,
  { firstSeenAt }: Envelope,
): Promise<Settled> {
  const { email, changed } = await parts.supabase.call(
    "unsubscribe_newsletter",
    { p_subscription_id: subscriptionId, p_reason: reason, p_now: firstSeenAt },
    unsubscribed,
  );
  if (email) await parts.resend.setUnsubscribed(email, true);
  log.info("subscription.ended", { subscriptionId, reason, changed, known: email !== null });
  return "done";
}

export const handler = createWorker("subscription", async () => {
  const table = realTable();
  const { unsubscribeKey } = await requiredSecrets(["unsubscribeKey", "resendApiKey", "supabaseServiceRoleKey"]);
  const { brand, senders, resend: audience } = station.config;
  return {
    table,
    now,
    handle: createSubscriptionHandler({
      supabase: await realSupabase(),
      resend: await realResend(table),
      ledger: createMailLedger({ table, now }),
      sender: createMessageSender(queueUrl),
      settings: { brand, senders, apiUrl: publicApiUrl(), unsubscribeKey },
      audience,
      now,
    }),
  };
});
