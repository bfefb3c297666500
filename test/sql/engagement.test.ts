import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS, type Subscribed } from "./database.ts";

const NOW = "2026-11-10T12:00:00.000Z";

type Outcome = {
  inserted: number;
  duplicates: number;
  failed: number;
  errors: { index: number; error: string }[];
  touched: { subscription_id: string; score_before: number | null; score_after: number }[];
};

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

const event = (interaction_type: string, more: Record<string, unknown> = {}) => ({
  event_id: randomUUID(),
  user_id: null,
  content_type: "guides",
  content_slug: "a-guide",
  interaction_type,
  session_id: null,
  metadata: null,
  ...more,
});
const insert = (...p_interactions: unknown[]) =>
  db.call<Outcome>("batch_insert_user_interactions", { p_interactions, p_now: NOW });

async function subscriber(name: string, score = 50) {
  const email = `${name}@example.com`;
  const args = { p_email: email, p_engagement_score: score, p_now: "2026-11-01T00:00:00Z" };
  const { subscription_id } = await db.call<Subscribed>("subscribe_newsletter", args);
  await db.query("update public.newsletter_subscriptions set resend_contact_id = $2 where email = $1", [
    email,
    `contact-${name}`,
  ]);
  const [user] = await db.query<{ id: string }>("insert into public.users (email) values ($1) returning id", [email]);
  const read = async () =>
    (
      await db.query<{ engagement_score: number; last_active_at: Date }>(
        "select engagement_score, last_active_at from public.newsletter_subscriptions where email = $1",
        [email],
      )
    )[0];
  return { user_id: user?.id, subscription_id, contact_id: `contact-${name}`, read };
}

describe("storing interactions", () => {
  it("stores each good event once, whatever else is in the batch", async () => {
    const good = event("click");
    const outcome = await insert(
      good,
      event("teleport"),
      event("view", { event_id: undefined }),
      event("search", { metadata: { query: "Queues ", result_count: "many" } }),
      event("search", { metadata: { query: " Queues ", filters: { category: "guides" }, result_count: 3 } }),
      good,
      event("view", { content_type: "recipes", user_id: "anon-7", session_id: "not-a-uuid" }),
    );
    expect(outcome).toMatchObject({ inserted: 3, duplicates: 1, failed: 3, touched: [] });
    expect(outcome.errors).toEqual([
      { index: 1, error: 'interaction_type "teleport" is unknown' },
      { index: 2, error: "event_id is missing" },
      { index: 3, error: 'invalid input syntax for type integer: "many"' },
    ]);
    expect(await db.query("select query, normalized_query, filters, result_count from public.search_queries")).toEqual([
      { query: " Queues ", normalized_query: "queues", filters: { category: "guides" }, result_count: 3 },
    ]);
    const stored = await db.query(
      "select interaction_type, content_type, user_id, session_id, created_at from public.user_interactions order by id",
    );
    expect(stored).toEqual([
      { interaction_type: "click", content_type: "guides", user_id: null, session_id: null, created_at: new Date(NOW) },
      { interaction_type: "view", content_type: null, user_id: null, session_id: null, created_at: new Date(NOW) },
    ]);
  });

  it("counts a batch that is delivered again as duplicates, without a second gain", async () => {
    const ada = await subscriber("ada");
    const batch = [event("copy", { user_id: ada.user_id }), event("search", { metadata: { query: "x" } })];
    expect(await insert(...batch)).toMatchObject({ inserted: 2, duplicates: 0 });
    expect(await insert(...batch)).toMatchObject({
      inserted: 0,
      duplicates: 2,
      // Whoever sent the event before may have died before telling anyone: the contact is named again.
      touched: [{ subscription_id: ada.subscription_id, score_before: null, score_after: 58 }],
    });
    expect((await ada.read())?.engagement_score).toBe(58);
  });

  it("refuses what is not a list", async () => {
    await expect(db.call("batch_insert_user_interactions", { p_interactions: "{}", p_now: NOW })).rejects.toMatchObject(
      { code: "22023" },
    );
  });
});

describe("engagement", () => {
  it("adds 8 for a copy, 2 for a view, nothing for the rest, and names whose score changed", async () => {
    const [grace, linus] = [await subscriber("grace"), await subscriber("linus")];
    const outcome = await insert(
      event("copy", { user_id: grace.user_id }),
      event("view", { user_id: grace.user_id }),
      event("click", { user_id: linus.user_id }),
    );
    expect(outcome.touched).toEqual([{ subscription_id: grace.subscription_id, score_before: 50, score_after: 60 }]);
    expect(await grace.read()).toEqual({ engagement_score: 60, last_active_at: new Date(NOW) });
    expect((await linus.read())?.engagement_score).toBe(50);
  });

  it("stops at 100 and then names nobody", async () => {
    const top = await subscriber("top", 97);
    expect((await insert(event("copy", { user_id: top.user_id }))).touched).toHaveLength(1);
    expect((await top.read())?.engagement_score).toBe(100);
    expect((await insert(event("copy", { user_id: top.user_id }))).touched).toEqual([]);
  });

  it("leaves alone who has unsubscribed", async () => {
    const gone = await subscriber("gone");
    await db.call("unsubscribe_newsletter", { p_subscription_id: gone.subscription_id, p_reason: "link", p_now: NOW });
    expect((await insert(event("copy", { user_id: gone.user_id }))).touched).toEqual([]);
    expect((await gone.read())?.engagement_score).toBe(50);
  });

  it("loses no gain when batches about the same people come at once", async () => {
    const people = [await subscriber("p1", 0), await subscriber("p2", 0), await subscriber("p3", 0)];
    const batches = Array.from({ length: 20 }, (_, index) => {
      const order = index % 2 === 0 ? people : people.toReversed();
      return insert(...order.map((person) => event("view", { user_id: person.user_id })));
    });
    expect((await Promise.all(batches)).map((outcome) => outcome.inserted)).toEqual(Array(20).fill(3));
    for (const person of people) expect((await person.read())?.engagement_score).toBe(40);
  });
});

it("keeps the evidence of a segment move", async () => {
  const { subscription_id } = await subscriber("moved");
  const p = {
    contact_id: "contact-moved",
    subscription_id,
    segment_target: "high_engagement",
    engagement_score: 72,
    retry_attempt: 1,
    resend_status: "ok",
    calls: 2,
    recorded_at: NOW,
  };
  await db.call("record_segment_evidence", { p });
  const [row] = await db.query(
    "select contact_id, subscription_id, segment_target, engagement_score, retry_attempt, resend_status, calls, recorded_at from public.segment_sync_evidence",
  );
  expect(row).toEqual({ ...p, recorded_at: new Date(NOW) });
});
