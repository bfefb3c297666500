import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS, type Subscribed } from "./database.ts";
import { overlap } from "./overlap.ts";

const T0 = "2026-11-02T10:00:00.000Z";
const T1 = "2026-11-03T10:00:00.000Z";
const T2 = "2026-11-04T10:00:00.000Z";
const APPLIED_AT = "2026-11-04T10:05:00.000Z";

type Applied = {
  known: boolean;
  duplicate: boolean;
  subscription_id: string | null;
  score_before: number | null;
  score_after: number | null;
  status: string | null;
  status_changed: boolean;
  suppress_at_resend: boolean;
};
type Event = Record<string, unknown> & { type: string; email: string };

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

const subscribe = (p_email: string, p_now = T0) => db.call<Subscribed>("subscribe_newsletter", { p_email, p_now });
const apply = (event: Event) =>
  db.call<Applied>("apply_resend_event", {
    p: { event_id: randomUUID(), occurred_at: T1, ...event },
    p_now: APPLIED_AT,
  });
const subscription = async (email: string) =>
  (
    await db.query(
      "select status, engagement_score, unsubscribe_reason from public.newsletter_subscriptions where email = $1",
      [email],
    )
  )[0];
const summary = async (email: string) =>
  (await db.query("select * from public.email_engagement_summary where email = $1", [email]))[0];
const blocked = (...p_emails: string[]) => db.call("get_blocked_emails", { p_emails });
const sequence = async (email: string) =>
  (
    await db.query(
      `select q.status, d.outcome from public.email_sequences q
       join public.email_sequence_schedule d using (sequence_id, email) where email = $1`,
      [email],
    )
  )[0];

describe("engagement", () => {
  it("rises by 5 for an open and 10 for a click, and is counted", async () => {
    await subscribe("reader@example.com");
    for (const type of ["email.sent", "email.delivered"]) {
      expect(await apply({ type, email: "reader@example.com" })).toMatchObject({ score_before: 50, score_after: 50 });
    }
    expect(await apply({ type: "email.opened", email: "reader@example.com" })).toMatchObject({
      known: true,
      duplicate: false,
      score_before: 50,
      score_after: 55,
      status: "active",
      status_changed: false,
      suppress_at_resend: false,
    });
    expect(await apply({ type: "email.clicked", email: "Reader <READER@example.com>" })).toMatchObject({
      score_before: 55,
      score_after: 65,
    });
    expect(await summary("reader@example.com")).toMatchObject({
      emails_sent: 1,
      emails_delivered: 1,
      emails_opened: 1,
      emails_clicked: 1,
      emails_bounced: 0,
      last_opened_at: new Date(T1),
      opens_last_30d: 1,
      engagement_score: 65,
      health_status: "engaged",
    });
  });

  it("counts an event that is delivered again only once, and answers what it answered before", async () => {
    await subscribe("twice@example.com");
    const event = { event_id: "msg_twice", type: "email.opened", email: "twice@example.com" };
    const first = await apply(event);
    await apply({ type: "email.clicked", email: "twice@example.com" });
    expect(await apply(event)).toEqual({ ...first, duplicate: true });
    expect(await subscription("twice@example.com")).toMatchObject({ engagement_score: 65 });
  });

  it("loses no increment and repeats none when everything arrives at once", async () => {
    await subscribe("race@example.com");
    const events = Array.from({ length: 5 }, (_, index) => ({
      event_id: `race-${index}`,
      type: "email.opened",
      email: "race@example.com",
    }));
    const answers = await Promise.all([...events, ...events, ...events].map(apply));
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(5);
    expect(await subscription("race@example.com")).toMatchObject({ engagement_score: 75 });
    expect(await summary("race@example.com")).toMatchObject({ emails_opened: 5 });
  });

  it("is told right when a copied page raises the score at the same moment", async () => {
    const { subscription_id } = await subscribe("overlap@example.com");
    const other = {
      text: "update public.newsletter_subscriptions set engagement_score = 58 where id = $1",
      values: [subscription_id],
    };
    const answer = await overlap(db, other, () => apply({ type: "email.clicked", email: "overlap@example.com" }));
    expect(answer).toMatchObject({ score_before: 58, score_after: 68 });
  });

  it("stays between 0 and 100", async () => {
    await subscribe("edges@example.com");
    for (let click = 0; click < 6; click++) await apply({ type: "email.clicked", email: "edges@example.com" });
    expect(await subscription("edges@example.com")).toMatchObject({ engagement_score: 100 });
  });

  it("keeps the latest time when deliveries come out of order", async () => {
    await apply({ type: "email.opened", email: "order@example.com", occurred_at: T2 });
    await apply({ type: "email.opened", email: "order@example.com", occurred_at: T1 });
    expect(await summary("order@example.com")).toMatchObject({ last_opened_at: new Date(T2) });
  });
});

describe("a bounce", () => {
  it("that is hard stops all mail: blocklist, status and sequence", async () => {
    await subscribe("gone@example.com");
    const answer = await apply({
      type: "email.bounced",
      email: "gone@example.com",
      bounce_type: "Permanent",
      reason: "no such mailbox",
    });
    expect(answer).toMatchObject({
      status: "bounced",
      status_changed: true,
      suppress_at_resend: true,
      score_before: 50,
      score_after: 30,
    });
    expect(await blocked("gone@example.com", "GONE@example.com", "fine@example.com")).toEqual([
      { email: "gone@example.com", reason: "hard_bounce" },
    ]);
    expect(await sequence("gone@example.com")).toEqual({ status: "cancelled", outcome: "suppressed" });
    expect(await subscribe("gone@example.com", T2)).toMatchObject({ suppressed: true });
  });

  it("that is soft costs 20, and the third of them stops all mail", async () => {
    await subscribe("full@example.com");
    const bounce = { type: "email.bounced", email: "full@example.com", bounce_type: "Transient" };
    expect(await apply(bounce)).toMatchObject({ score_after: 30, status: "active", suppress_at_resend: false });
    expect(await apply({ ...bounce, occurred_at: T0 })).toMatchObject({ score_after: 10, status: "active" });
    expect(await blocked("full@example.com")).toEqual([]);
    expect(await apply(bounce)).toMatchObject({ score_after: 0, status: "bounced", suppress_at_resend: true });
    expect(await blocked("full@example.com")).toEqual([{ email: "full@example.com", reason: "repeated_soft_bounce" }]);
    expect(await sequence("full@example.com")).toMatchObject({ status: "cancelled" });
  });

  it("counts to three also when all three arrive at once", async () => {
    await subscribe("burst@example.com");
    const bounce = { type: "email.bounced", email: "burst@example.com", bounce_type: "Transient" };
    await Promise.all([apply(bounce), apply(bounce), apply(bounce)]);
    expect(await subscription("burst@example.com")).toMatchObject({ status: "bounced" });
  });

  it("sees the one before it that is still being applied", async () => {
    const bounce = { type: "email.bounced", email: "third@example.com", bounce_type: "Transient" };
    await apply(bounce);
    const other = {
      text: "select public.apply_resend_event($1, $2)",
      values: [JSON.stringify({ ...bounce, event_id: randomUUID(), occurred_at: T1 }), T1],
    };
    expect(await overlap(db, other, () => apply(bounce))).toMatchObject({ suppress_at_resend: true });
  });

  it("that was delivered twice is not two of three", async () => {
    await subscribe("same@example.com");
    const bounce = { event_id: "msg_same", type: "email.bounced", email: "same@example.com", bounce_type: "Transient" };
    for (let delivery = 0; delivery < 4; delivery++) await apply(bounce);
    expect(await subscription("same@example.com")).toMatchObject({ status: "active", engagement_score: 30 });
  });

  it("of somebody who never subscribed blocks the address all the same", async () => {
    const answer = await apply({ type: "email.bounced", email: "poster@example.com", bounce_type: "Permanent" });
    expect(answer).toMatchObject({ subscription_id: null, score_before: null, score_after: null, status: null });
    expect(await blocked("poster@example.com")).toHaveLength(1);
  });
});

describe("a complaint", () => {
  it("sets the score to 0, and no late open undoes it (D-12)", async () => {
    await subscribe("angry@example.com");
    expect(await apply({ type: "email.complained", email: "angry@example.com" })).toMatchObject({
      score_after: 0,
      status: "complained",
      suppress_at_resend: true,
    });
    expect(await apply({ type: "email.opened", email: "angry@example.com", occurred_at: T0 })).toMatchObject({
      score_after: 0,
      status: "complained",
    });
    expect(await sequence("angry@example.com")).toEqual({ status: "cancelled", outcome: "suppressed" });
    expect(await blocked("angry@example.com")).toEqual([{ email: "angry@example.com", reason: "spam_complaint" }]);
  });

  it("outranks a bounce, whichever came first", async () => {
    await subscribe("both@example.com");
    const bounce = { type: "email.bounced", email: "both@example.com", bounce_type: "Permanent" };
    await apply(bounce);
    await apply({ type: "email.complained", email: "both@example.com" });
    await apply(bounce);
    expect(await subscription("both@example.com")).toMatchObject({ status: "complained", engagement_score: 0 });
    expect(await blocked("both@example.com")).toEqual([{ email: "both@example.com", reason: "spam_complaint" }]);
  });
});

describe("a contact", () => {
  it("that unsubscribed at Resend is unsubscribed here, with its sequence", async () => {
    await subscribe("left@example.com");
    expect(await apply({ type: "contact.updated", email: "left@example.com", unsubscribed: true })).toMatchObject({
      status: "unsubscribed",
      status_changed: true,
      suppress_at_resend: false,
    });
    expect(await sequence("left@example.com")).toEqual({ status: "cancelled", outcome: "cancelled" });
  });

  it("that signed up again since is not unsubscribed by older events", async () => {
    const { subscription_id } = await subscribe("back@example.com");
    await db.call("unsubscribe_newsletter", { p_subscription_id: subscription_id, p_reason: "link", p_now: T1 });
    await subscribe("back@example.com", T2);
    await db.call("record_contact_sync", {
      p_subscription_id: subscription_id,
      p_contact_id: "same-contact",
      p_status: "synced",
      p_error: null,
      p_topics: [],
      p_now: T2,
    });
    const late = { email: "back@example.com", contact_id: "same-contact", occurred_at: T1 };
    for (const event of [{ type: "contact.updated", unsubscribed: true }, { type: "contact.deleted" }]) {
      expect(await apply({ ...late, ...event })).toMatchObject({
        status: "active",
        status_changed: false,
        resend_contact_id: "same-contact",
      });
    }
    const [row] = await db.query(
      "select resend_contact_id from public.newsletter_subscriptions where email = 'back@example.com'",
    );
    expect(row).toEqual({ resend_contact_id: "same-contact" });
  });

  it("that Resend holds for subscribed although we do not is to be suppressed there, never resubscribed here", async () => {
    await subscribe("wider@example.com");
    await apply({ type: "email.complained", email: "wider@example.com" });
    expect(await apply({ type: "contact.updated", email: "wider@example.com", unsubscribed: false })).toMatchObject({
      status: "complained",
      suppress_at_resend: true,
    });
    await subscribe("fine@example.com");
    expect(await apply({ type: "contact.updated", email: "fine@example.com", unsubscribed: false })).toMatchObject({
      status: "active",
      suppress_at_resend: false,
    });
  });

  it("that was deleted at Resend gets no more mail; an older contact's deletion is nothing to the present one", async () => {
    const { subscription_id } = await subscribe("deleted@example.com");
    await db.call("record_contact_sync", {
      p_subscription_id: subscription_id,
      p_contact_id: "contact-2",
      p_status: "synced",
      p_error: null,
      p_topics: [],
      p_now: T0,
    });
    const deleted = { type: "contact.deleted", email: "deleted@example.com" };
    expect(await apply({ ...deleted, contact_id: "contact-1" })).toMatchObject({ status: "active" });
    expect(await apply({ ...deleted, contact_id: "contact-2" })).toMatchObject({ status: "unsubscribed" });
    const [row] = await db.query(
      "select resend_contact_id, unsubscribe_reason from public.newsletter_subscriptions where email = $1",
      ["deleted@example.com"],
    );
    expect(row).toEqual({ resend_contact_id: null, unsubscribe_reason: "resend_contact_deleted" });
  });
});

describe("what is not understood", () => {
  it("is stored and answered, not refused: an unknown type, a stranger, an address that is none", async () => {
    await subscribe("odd@example.com");
    expect(await apply({ type: "email.teleported", email: "odd@example.com" })).toMatchObject({ known: false });
    expect(await subscription("odd@example.com")).toMatchObject({ status: "active", engagement_score: 50 });
    expect(await apply({ type: "email.opened", email: "stranger@example.com" })).toMatchObject({ status: null });
    expect(await apply({ type: "email.opened", email: "not an address" })).toMatchObject({ known: true, email: null });
    await expect(db.call("apply_resend_event", { p: { type: "email.opened" }, p_now: T1 })).rejects.toMatchObject({
      code: "22023",
    });
  });
});
