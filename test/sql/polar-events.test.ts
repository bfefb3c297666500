import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";
import { overlap } from "./overlap.ts";

const PAID_AT = "2026-11-02T10:00:00.000Z";
const LATER = "2026-11-12T10:00:00.000Z";
const NOW = "2026-11-12T10:00:05.000Z";

type Handled = { handled: boolean; duplicate: boolean; outcome: string; job: Record<string, unknown> | null };
type Data = Record<string, unknown>;

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

const addJob = async (status: string) => {
  const [row] = await db.query<{ id: string }>(
    `insert into public.jobs (slug, title, company, description, category, link, status, contact_email)
     values ('job-' || gen_random_uuid(), 'Engineer', 'Example', 'Work', 'engineering', 'https://example.com', $1,
       'poster@example.com') returning id`,
    [status],
  );
  if (!row) throw new Error("nothing inserted");
  return row.id;
};
const receive = async () => {
  const { webhook_event_id } = await db.call<{ webhook_event_id: string }>("receive_webhook_event", {
    p_source: "polar",
    p_dedupe_key: randomUUID(),
    p_type: "any",
    p_occurred_at: PAID_AT,
    p_data: {},
    p_now: NOW,
  });
  return webhook_event_id;
};
const handle = async (p_type: string, data: Data, p_occurred_at = PAID_AT, event?: string) =>
  db.call<Handled>("handle_polar_event", {
    p_webhook_event_id: event ?? (await receive()),
    p_type,
    p_occurred_at,
    p_data: { type: p_type, timestamp: p_occurred_at, data },
    p_now: NOW,
  });
const order = (job_id: string, more: Data = {}): Data => ({
  id: `order-of-${job_id}`,
  metadata: { job_id },
  total_amount: 29900,
  currency: "usd",
  billing_reason: "purchase",
  ...more,
});
const jobRow = async (id: string) =>
  (await db.query("select status, active, expires_at, posted_at from public.jobs where id = $1", [id]))[0];

describe("an order that is paid", () => {
  it("puts the job live for 30 days and tells what the mail needs, found inside data (D-30)", async () => {
    const id = await addJob("pending_payment");
    expect(await handle("order.paid", order(id))).toEqual({
      handled: true,
      duplicate: false,
      outcome: "paid",
      job: {
        job_id: id,
        slug: expect.stringMatching(/^job-/),
        title: "Engineer",
        company: "Example",
        status: "active",
        plan: "one-time",
        tier: "standard",
        user_email: "poster@example.com",
        payment_amount_cents: 29900,
        currency: "usd",
        paid_at: "2026-11-02T10:00:00+00:00",
        expires_at: "2026-12-02T10:00:00+00:00",
        view_count: 0,
        click_count: 0,
      },
    });
    expect(await jobRow(id)).toMatchObject({ status: "active", active: true });
  });

  it("extends once, however often and however many at once it is delivered", async () => {
    const id = await addJob("pending_payment");
    const event = await receive();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => handle("order.paid", order(id), PAID_AT, event)),
    );
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.outcome))).toEqual(new Set(["paid"]));
    expect(await jobRow(id)).toMatchObject({ expires_at: new Date("2026-12-02T10:00:00Z") });
  });

  it("adds up with another payment that is applied at the same moment", async () => {
    const id = await addJob("pending_payment");
    const event = await receive();
    const other = {
      text: "select public.handle_polar_event($1, 'order.paid', $2, $3, $4)",
      values: [event, PAID_AT, JSON.stringify({ data: order(id, { id: "other-order" }) }), NOW],
    };
    await overlap(db, other, () => handle("order.paid", order(id)));
    expect(await jobRow(id)).toMatchObject({ expires_at: new Date("2027-01-01T10:00:00Z") });
  });

  it("meets a refund that is applied at the same moment, and stays refunded", async () => {
    const id = await addJob("pending_payment");
    const refund = {
      text: "select public.handle_polar_event($1, 'order.refunded', $2, $3, $4)",
      values: [await receive(), LATER, JSON.stringify({ data: order(id, { status: "refunded" }) }), NOW],
    };
    expect(await overlap(db, refund, () => handle("order.paid", order(id)))).toMatchObject({ outcome: "outdated" });
  });

  it("does not put a rejected job live, and says so", async () => {
    const id = await addJob("rejected");
    expect(await handle("order.paid", order(id))).toMatchObject({ handled: true, outcome: "not_live" });
    expect(await jobRow(id)).toMatchObject({ status: "rejected", posted_at: null, expires_at: null });
  });

  it("finds the job in the order's subscription too", async () => {
    const id = await addJob("pending_payment");
    const data = order(id, { metadata: {}, subscription: { metadata: { job_id: id } } });
    expect(await handle("order.paid", data)).toMatchObject({ outcome: "paid" });
  });
});

describe("a refund", () => {
  it("takes the job down, also when the payment's own event arrives after it", async () => {
    const id = await addJob("pending_payment");
    await handle("order.paid", order(id));
    expect(await handle("order.refunded", order(id, { status: "refunded" }), LATER)).toMatchObject({
      outcome: "refunded",
      job: { status: "expired" },
    });
    expect(await handle("order.paid", order(id))).toMatchObject({ handled: true, outcome: "outdated" });
    expect(await jobRow(id)).toMatchObject({ status: "expired", active: false });
  });

  it("of a part leaves the job up", async () => {
    const id = await addJob("pending_payment");
    await handle("order.paid", order(id));
    const part = order(id, { status: "partially_refunded" });
    expect(await handle("order.refunded", part, LATER)).toMatchObject({ outcome: "partially_refunded" });
    expect(await jobRow(id)).toMatchObject({ status: "active" });
  });
});

describe("a subscription", () => {
  it("renews to the end of the paid period, by either name of the event", async () => {
    const id = await addJob("expired");
    const subscription = { id: "sub", metadata: { job_id: id }, current_period_end: "2027-01-05T00:00:00Z" };
    expect(await handle("subscription.renewal", subscription)).toMatchObject({ outcome: "renewed" });
    expect(await jobRow(id)).toMatchObject({ status: "active", expires_at: new Date("2027-01-05T00:00:00Z") });
    const cycle = order(id, { billing_reason: "subscription_cycle", subscription: { ...subscription } });
    expect(await handle("order.paid", cycle, LATER)).toMatchObject({ outcome: "renewed" });
    expect(await jobRow(id)).toMatchObject({ expires_at: new Date("2027-01-05T00:00:00Z") });
  });

  it("that is cancelled runs to its end; one that is revoked ends now and no older event brings it back", async () => {
    const id = await addJob("pending_payment");
    const subscription = { id: "sub", metadata: { job_id: id }, current_period_end: "2027-01-05T00:00:00Z" };
    await handle("subscription.renewal", subscription);
    expect(await handle("subscription.canceled", subscription, "2026-11-05T00:00:00Z")).toMatchObject({
      outcome: "canceled",
      job: { status: "active" },
    });
    expect(await handle("subscription.revoked", subscription, LATER)).toMatchObject({
      outcome: "revoked",
      job: { status: "expired", expires_at: "2026-11-12T10:00:00+00:00" },
    });
    expect(await handle("subscription.renewal", subscription, "2026-11-06T00:00:00Z")).toMatchObject({
      outcome: "outdated",
      job: { status: "expired" },
    });
  });
});

it("what concerns no job is answered, not failed", async () => {
  const id = await addJob("pending_payment");
  expect(await handle("order.teleported", order(id))).toMatchObject({ handled: false, outcome: "unknown_type" });
  expect(await handle("order.paid", { id: "o", metadata: {} })).toEqual({
    handled: false,
    duplicate: false,
    outcome: "no_job_id",
    job: null,
  });
  expect(await handle("order.paid", order(randomUUID()))).toMatchObject({ handled: false, outcome: "job_not_found" });
  expect(await handle("order.paid", order("not-a-uuid"))).toMatchObject({ handled: false, outcome: "no_job_id" });
});
