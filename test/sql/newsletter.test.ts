import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS, type Subscribed } from "./database.ts";

const T0 = "2026-11-02T10:00:00.000Z";
const T1 = "2026-11-05T10:00:00.000Z";

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

/** A time as the database writes it into JSON. */
const inJson = (at: string) => at.replace(".000Z", "+00:00");

const subscribe = (p_email: string, args: Record<string, unknown> = {}) =>
  db.call<Subscribed>("subscribe_newsletter", { p_email, p_now: T0, ...args });
const sequenceOf = (email: string) =>
  db.query<{ started_at: Date; step: number; due_at: Date }>(
    `select q.started_at, d.step, d.due_at from public.email_sequences q
     join public.email_sequence_schedule d using (sequence_id, email) where email = $1`,
    [email],
  );

describe("signing up", () => {
  it("stores the address once in one form and enrols it in the same act", async () => {
    const args = { p_source: "modal", p_engagement_score: 45, p_topics: ["weekly_digest"] };
    const first = await subscribe("  Ada@Example.COM ", args);
    expect(first).toMatchObject({
      email: "ada@example.com",
      was_new: true,
      was_resubscribed: false,
      subscribed_at: inJson(T0),
      resend_contact_id: null,
      sync_status: "pending",
      engagement_score: 45,
      suppressed: false,
    });
    expect(await sequenceOf("ada@example.com")).toEqual([
      { started_at: new Date(T0), step: 2, due_at: new Date("2026-11-04T10:00:00.000Z") },
    ]);
  });

  it("gives a call that is repeated with its own time the answer it gave before", async () => {
    const first = await subscribe("twice@example.com", { p_engagement_score: 70 });
    expect(await subscribe("twice@example.com", { p_engagement_score: 70 })).toEqual(first);
  });

  it("changes nothing when an active subscriber signs up again later", async () => {
    const first = await subscribe("again@example.com", { p_engagement_score: 70, p_source: "inline" });
    const later = await subscribe("again@example.com", { p_engagement_score: 10, p_source: "modal", p_now: T1 });
    expect(later).toEqual({ ...first, was_new: false });
    const stored = await db.query(
      "select source from public.newsletter_subscriptions where email = 'again@example.com'",
    );
    expect(stored).toEqual([{ source: "inline" }]);
  });

  it("makes one row and one schedule of twenty calls at once", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => subscribe("race@example.com")));
    expect(new Set(answers.map((answer) => answer.subscription_id)).size).toBe(1);
    expect(await sequenceOf("race@example.com")).toHaveLength(1);
  });

  it("falls back for what it does not know instead of failing", async () => {
    await subscribe("odd@example.com", {
      p_source: "carrier-pigeon",
      p_copy_type: "papyrus",
      p_copy_category: "recipes",
      p_primary_interest: "knitting",
      p_referrer: "x".repeat(600),
      p_engagement_score: 400,
    });
    const [stored] = await db.query(
      `select source, copy_type, copy_category, primary_interest, length(referrer) as referrer, engagement_score
       from public.newsletter_subscriptions where email = 'odd@example.com'`,
    );
    expect(stored).toEqual({
      source: "footer",
      copy_type: null,
      copy_category: null,
      primary_interest: "general",
      referrer: 500,
      engagement_score: 100,
    });
  });

  it.each([
    "",
    "no-at.example.com",
    "two@@example.com",
    "a@nodot",
    "a..b@example.com",
    "a b@example.com",
    "a@-x.example.com",
    "ä@example.com",
    `${"a".repeat(65)}@example.com`,
  ])("refuses %j with SQLSTATE 22023", async (email) => {
    await expect(subscribe(email)).rejects.toMatchObject({ code: "22023" });
  });
});

describe("signing up again after leaving", () => {
  it("makes an unsubscribed address active and due for synchronisation, without a second sequence", async () => {
    const { subscription_id } = await subscribe("back@example.com");
    await db.call("record_contact_sync", sync(subscription_id, "contact-back", "synced"));
    await db.call("unsubscribe_newsletter", { p_subscription_id: subscription_id, p_reason: "link", p_now: T0 });
    const back = await subscribe("back@example.com", { p_now: T1 });
    expect(back).toMatchObject({
      subscription_id,
      was_new: false,
      was_resubscribed: true,
      subscribed_at: inJson(T0),
      resend_contact_id: "contact-back",
      sync_status: "pending",
      suppressed: false,
    });
    expect(await subscribe("back@example.com", { p_now: T1 })).toEqual(back);
    expect(await sequenceOf("back@example.com")).toHaveLength(1);
  });

  it.each(["bounced", "complained"])("never makes a %s address active", async (status) => {
    const email = `${status}@example.com`;
    await subscribe(email);
    await db.query(
      "update public.newsletter_subscriptions set status = $2::public.newsletter_subscription_status where email = $1",
      [email, status],
    );
    expect(await subscribe(email, { p_now: T1 })).toMatchObject({ suppressed: true, was_resubscribed: false });
    const stored = await db.query("select status from public.newsletter_subscriptions where email = $1", [email]);
    expect(stored).toEqual([{ status }]);
  });

  it("neither activates nor enrols a blocked address, known or not", async () => {
    await db.query("insert into public.email_blocklist (email, reason) values ('blocked@example.com', 'hard_bounce')");
    expect(await subscribe("blocked@example.com")).toMatchObject({ suppressed: true, sync_status: "skipped" });
    expect(await sequenceOf("blocked@example.com")).toEqual([]);
    const stored = await db.query(
      "select status, confirmed from public.newsletter_subscriptions where email = 'blocked@example.com'",
    );
    expect(stored).toEqual([{ status: "bounced", confirmed: false }]);

    const { subscription_id } = await subscribe("blocked-later@example.com");
    await db.call("unsubscribe_newsletter", { p_subscription_id: subscription_id, p_reason: "link", p_now: T0 });
    await db.query("insert into public.email_blocklist (email, reason) values ('blocked-later@example.com', 'manual')");
    expect(await subscribe("blocked-later@example.com", { p_now: T1 })).toMatchObject({
      suppressed: true,
      was_resubscribed: false,
    });
  });
});

describe("unsubscribing", () => {
  it("stops the sequence, closes what was pending, and is done once", async () => {
    const { subscription_id } = await subscribe("leaver@example.com");
    const leave = () =>
      db.call("unsubscribe_newsletter", { p_subscription_id: subscription_id, p_reason: "one-click", p_now: T1 });
    expect(await leave()).toEqual({ email: "leaver@example.com", resend_contact_id: null, changed: true });
    expect(await leave()).toEqual({ email: "leaver@example.com", resend_contact_id: null, changed: false });
    const [state] = await db.query(
      `select s.status, s.unsubscribe_reason, s.unsubscribed_at, q.status as sequence, d.processed, d.outcome
       from public.newsletter_subscriptions s join public.email_sequences q using (email)
       join public.email_sequence_schedule d using (email) where email = 'leaver@example.com'`,
    );
    expect(state).toEqual({
      status: "unsubscribed",
      unsubscribe_reason: "one-click",
      unsubscribed_at: new Date(T1),
      sequence: "cancelled",
      processed: true,
      outcome: "cancelled",
    });
  });

  it("is not undone by an older sign-up that is delivered again", async () => {
    const { subscription_id } = await subscribe("again@example.com");
    await db.call("unsubscribe_newsletter", { p_subscription_id: subscription_id, p_reason: "link", p_now: T1 });
    expect(await subscribe("again@example.com")).toMatchObject({ suppressed: true, was_resubscribed: false });
    const [state] = await db.query("select status from public.newsletter_subscriptions where id = $1", [
      subscription_id,
    ]);
    expect(state).toEqual({ status: "unsubscribed" });
  });

  it("delivered again after a newer sign-up changes nothing and names nobody to be told", async () => {
    const { subscription_id } = await subscribe("stays@example.com");
    const leave = () =>
      db.call("unsubscribe_newsletter", { p_subscription_id: subscription_id, p_reason: "link", p_now: T0 });
    expect(await leave()).toMatchObject({ changed: true });
    expect(await subscribe("stays@example.com", { p_now: T1 })).toMatchObject({ was_resubscribed: true });
    expect(await leave()).toEqual({ email: null, resend_contact_id: null, changed: false });
    expect(await subscribe("stays@example.com", { p_now: T1 })).toMatchObject({ suppressed: false });
  });

  it("answers an unknown subscription without an address", async () => {
    const unknown = { p_subscription_id: "00000000-0000-4000-8000-000000000000", p_reason: null, p_now: T1 };
    expect(await db.call("unsubscribe_newsletter", unknown)).toEqual({
      email: null,
      resend_contact_id: null,
      changed: false,
    });
  });
});

function sync(id: string, contact: string | null, status: string, error: string | null = null, topics: string[] = []) {
  return {
    p_subscription_id: id,
    p_contact_id: contact,
    p_status: status,
    p_error: error,
    p_topics: topics,
    p_now: T1,
  };
}

describe("recording what Resend said", () => {
  it("stores topics only when they were confirmed, and never forgets a contact id", async () => {
    const { subscription_id } = await subscribe("synced@example.com", { p_topics: ["weekly_digest"] });
    const stored = () =>
      db.query(
        "select resend_contact_id, sync_status, sync_error, resend_topics, requested_topics from public.newsletter_subscriptions where id = $1",
        [subscription_id],
      );
    await db.call("record_contact_sync", sync(subscription_id, "contact-1", "synced", null, ["weekly_digest"]));
    await db.call("record_contact_sync", sync(subscription_id, null, "failed", "timeout", ["mcp_integrations"]));
    expect(await stored()).toEqual([
      {
        resend_contact_id: "contact-1",
        sync_status: "failed",
        sync_error: "timeout",
        resend_topics: ["weekly_digest"],
        requested_topics: ["weekly_digest"],
      },
    ]);
    const nobody = "00000000-0000-4000-8000-000000000000";
    await expect(db.call("record_contact_sync", sync(nobody, "c", "synced"))).rejects.toMatchObject({ code: "22023" });
  });

  it("tells the present engagement of a subscription, null for an unknown one", async () => {
    const { subscription_id } = await subscribe("score@example.com", { p_engagement_score: 61 });
    expect(await db.call("get_subscription_engagement", { p_subscription_id: subscription_id })).toEqual({
      subscription_id,
      email: "score@example.com",
      status: "active",
      resend_contact_id: null,
      engagement_score: 61,
    });
    const nobody = "00000000-0000-4000-8000-000000000000";
    expect(await db.call("get_subscription_engagement", { p_subscription_id: nobody })).toBeNull();
  });
});

it("counts and lists exactly those who may get mail", async () => {
  await db.query("truncate public.newsletter_subscriptions cascade");
  for (const name of ["one", "two", "three", "four"]) await subscribe(`${name}@list.example.com`);
  const left = await subscribe("left@list.example.com");
  await db.call("unsubscribe_newsletter", { p_subscription_id: left.subscription_id, p_reason: "link", p_now: T0 });
  await db.query(
    "insert into public.email_blocklist (email, reason) values ('four@list.example.com', 'spam_complaint')",
  );
  await subscribe("paused@list.example.com");
  await db.query(
    "update public.newsletter_subscriptions set preferred_email_frequency = 'paused' where email like 'paused@%'",
  );

  expect(await db.call("get_newsletter_subscriber_count")).toBe(4);
  const found: string[] = [];
  let after: string | null = null;
  for (let page = 0; page < 5; page++) {
    const rows: { subscription_id: string; email: string }[] = await db.rows("get_digest_recipients", {
      p_after: after,
      p_limit: 2,
      p_now: T1,
    });
    found.push(...rows.map((row) => row.email));
    after = rows.at(-1)?.subscription_id ?? after;
  }
  expect(found.sort()).toEqual(["one@list.example.com", "three@list.example.com", "two@list.example.com"]);

  // Of a batch that was fixed when all of them were on the list.
  const all: { id: string; email: string }[] = await db.query("select id, email from public.newsletter_subscriptions");
  const kept = await db.call<string[]>("keep_digest_recipients", { p_subscription_ids: all.map(({ id }) => id) });
  const emailOf = new Map(all.map(({ id, email }) => [id, email]));
  expect(kept.map((id) => emailOf.get(id)).sort()).toEqual(found);
  expect(await db.call("keep_digest_recipients", { p_subscription_ids: [left.subscription_id] })).toEqual([]);
});
