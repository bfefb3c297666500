import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { ReadOnlyDatabase } from "../read-only-database.ts";

type Args = Record<string, unknown>;
/** What the named functions were supposed to have answered before. */
type Supposed = ReadonlyMap<string, unknown>;
/** Undefined where nothing can be foreseen. */
type Answer = (args: Args, database: ReadOnlyDatabase, supposed: Supposed) => Promise<unknown>;

const subscription = z.looseObject({
  id: z.uuid(),
  email: z.string(),
  status: z.string(),
  sync_status: z.string(),
  engagement_score: z.number(),
  subscribed_at: z.string(),
});
const newSubscription = z.looseObject({ subscription_id: z.uuid() });
const engagement = z.looseObject({ email: z.string(), status: z.string() }).nullable();
const event = z.looseObject({ processed: z.boolean(), data: z.unknown() }).nullable();

/**
 * What functions that write would probably answer, from what the database says now, and what those that read would say
 * afterwards. Only those that handlers cannot go
 * on without and that can be foreseen; a rehearsal ends at any other.
 */
export const supposedAnswers: Record<string, Answer> = {
  async subscribe_newsletter({ p_email, p_engagement_score, p_now }, database) {
    const found = await database.find("newsletter_subscriptions", "email", String(p_email), subscription);
    const resubscribed = found?.status === "unsubscribed";
    return {
      subscription_id: found?.id ?? randomUUID(),
      email: p_email,
      was_new: !found,
      was_resubscribed: resubscribed,
      subscribed_at: found?.subscribed_at ?? p_now,
      sync_status: resubscribed ? "pending" : (found?.sync_status ?? "pending"),
      engagement_score: found?.engagement_score ?? p_engagement_score,
      suppressed: found !== undefined && !["active", "unsubscribed"].includes(found.status),
    };
  },
  async get_subscription_engagement({ p_subscription_id }, _, supposed) {
    const { data } = newSubscription.safeParse(supposed.get("subscribe_newsletter"));
    return data?.subscription_id === p_subscription_id ? { ...data, status: "active" } : undefined;
  },
  async unsubscribe_newsletter({ p_subscription_id }, database) {
    const found = engagement.parse(await database.call("get_subscription_engagement", { p_subscription_id }));
    return { email: found?.email ?? null, changed: found?.status === "active" };
  },
  batch_insert_user_interactions: async () => ({ errors: [], touched: [] }),
  receive_webhook_event: async () => ({ webhook_event_id: randomUUID(), state: "new" }),
  async start_webhook_event_run({ p_webhook_event_id }, database) {
    const found = event.parse(await database.call("get_webhook_event", { p_webhook_event_id }));
    // One that is not stored yet was supposed to be a moment ago.
    return { state: found?.processed ? "processed" : "started", run_id: randomUUID(), data: found?.data ?? null };
  },
  store_embedding: async () => ({ outcome: "stored" }),
  claim_outbox: async () => [],
  record_changelog_entry: async () => ({ entry_id: randomUUID(), slug: "rehearsed", created: true }),
};
