import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ledgerTag } from "../../lambdas/core/ledger.ts";
import type { Payload } from "../../lambdas/core/messages.ts";
import { config } from "../../station.config.ts";
import { sendMessage } from "./message.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
afterEach(() => station.faults({}));

const { segments } = config.resend;

type Source = Payload<"webhook-events">["source"];
let sent = 0;
/** A webhook as its route passes it on; answers its dedupe key. */
async function deliver(source: Source, type: string, data: Record<string, unknown>, dedupeKey?: string) {
  sent += 1;
  const key = dedupeKey ?? `event-${sent}`;
  const { now } = await station.report();
  await sendMessage(station, "webhook-events", {
    source,
    dedupeKey: key,
    type,
    occurredAt: now,
    data: JSON.parse(JSON.stringify({ type, created_at: now, ...data })),
  });
  return key;
}

const aboutMail = (email: string, more: Record<string, unknown> = {}) => ({
  data: { to: [email], email_id: `mail-to-${email}`, ...more },
});

async function inboxRow(dedupeKey: string) {
  const rows = await station.sql<{
    id: string;
    processed: boolean;
    attempt_count: number;
    error: string | null;
    related_id: string | null;
  }>("select id, processed, attempt_count, error, related_id from webhook_events where dedupe_key = $1", [dedupeKey]);
  expect(rows).toHaveLength(1);
  return rows[0] as (typeof rows)[number];
}

async function reader(email: string, more: Record<string, unknown> = {}) {
  await station.subscribe(email, more);
  await station.quiet();
  return statusOf(email);
}
async function statusOf(email: string) {
  const [row] = await station.sql<{ id: string; status: string; engagement_score: number }>(
    "select id, status, engagement_score from newsletter_subscriptions where email = $1",
    [email],
  );
  return row as NonNullable<typeof row>;
}

describe("Resend's events", () => {
  test("count once, however often they are delivered and at the same time", async () => {
    const email = "open@example.com";
    const { engagement_score: before } = await reader(email);
    await Promise.all(Array.from({ length: 6 }, () => deliver("resend", "email.opened", aboutMail(email), "open-1")));
    await station.advance(300_000);
    expect((await statusOf(email)).engagement_score).toBe(before + 5);
    expect(await inboxRow("open-1")).toMatchObject({ processed: true, error: null });
    const runs = await station.sql(
      "select 1 from webhook_event_runs r join webhook_events e on e.id = r.webhook_event_id where e.dedupe_key = 'open-1' and r.status = 'succeeded'",
    );
    expect(runs).toHaveLength(1);
  });

  test("that lift a reader over a threshold move the contact to the other segment", async () => {
    const email = "climber@example.com";
    await reader(email, { source: "post_copy" });
    expect((await station.contact(email))?.segments).toContain(segments["medium-engagement"]);
    await deliver("resend", "email.opened", aboutMail(email));
    await station.quiet();
    expect((await statusOf(email)).engagement_score).toBe(70);
    const contact = await station.contact(email);
    expect(contact?.segments).toContain(segments["high-engagement"]);
    expect(contact?.segments).not.toContain(segments["medium-engagement"]);
  });

  test("tell a mail's ledger record what became of it, by the tag it carries", async () => {
    const email = "told@example.com";
    const { id } = await reader(email);
    const tag = (await station.outbox(email))[0]?.tags.find(({ name }) => name === "ledger")?.value;
    expect(tag).toBe(ledgerTag(`welcome/${id}`));
    await deliver("resend", "email.delivered", aboutMail(email, { tags: { ledger: tag } }));
    await station.quiet();
    expect(await station.item(`ledger#welcome/${id}`, "mail")).toMatchObject({
      status: "delivered",
      providerIds: [`mail-to-${email}`],
    });
  });

  test("of a hard bounce stop everything: status, sequence, broadcasts and later mails", async () => {
    const email = "bounce@example.com";
    const { id } = await reader(email);
    await deliver(
      "resend",
      "email.bounced",
      aboutMail(email, { bounce: { type: "Permanent", message: "no such user" } }),
    );
    await station.quiet();
    expect((await statusOf(email)).status).toBe("bounced");
    expect((await station.contact(email))?.unsubscribed).toBe(true);
    const due = await station.sql("select 1 from email_sequence_schedule where email = $1 and not processed", [email]);
    expect(due).toEqual([]);
    expect(await station.sql("select reason from email_blocklist where email = $1", [email])).toEqual([
      { reason: "hard_bounce" },
    ]);
    await sendMessage(station, "email", {
      template: "collection-shared",
      to: email,
      data: { collectionName: "Atlases", senderName: "Bob", collectionSlug: "a", senderSlug: "b", itemCount: 2 },
      ledgerKey: `collection/${id}`,
    });
    await station.quiet();
    expect(await station.outbox(email)).toHaveLength(1);
  });

  test("are not lost when the work fails after they were stored: the next attempt does the rest", async () => {
    const email = "complaint@example.com";
    await reader(email);
    await station.faults({ rate5xx: 1 });
    const key = await deliver("resend", "email.complained", aboutMail(email));
    await expect.poll(async () => (await inboxRow(key)).error, { timeout: 20_000 }).toContain("Resend contacts.update");
    expect(await inboxRow(key)).toMatchObject({ processed: false, attempt_count: 1 });
    expect((await station.contact(email))?.unsubscribed).toBe(false);

    await station.faults({});
    await station.advance(600_000);
    expect(await inboxRow(key)).toMatchObject({ processed: true, error: null });
    expect((await station.contact(email))?.unsubscribed).toBe(true);
    expect(await statusOf(email)).toMatchObject({ status: "complained", engagement_score: 0 });
    expect(await station.deadLetters("webhook-events")).toEqual([]);
  });

  test("that a function began and died with are taken over when its lease is over", async () => {
    const email = "orphan@example.com";
    const { engagement_score: before } = await reader(email);
    const { now } = await station.report();
    const { data: stored } = await station.supabase.rpc("receive_webhook_event", {
      p_source: "resend",
      p_dedupe_key: "orphan-1",
      p_type: "email.opened",
      p_occurred_at: now,
      p_data: {},
      p_now: now,
    });
    await station.supabase.rpc("start_webhook_event_run", {
      p_webhook_event_id: stored.webhook_event_id,
      p_lease_seconds: 60,
      p_now: now,
    });
    await deliver("resend", "email.opened", aboutMail(email), "orphan-1");
    await station.advance(30_000);
    expect((await inboxRow("orphan-1")).processed).toBe(false);
    expect((await statusOf(email)).engagement_score).toBe(before);
    await station.advance(60_000);
    expect(await inboxRow("orphan-1")).toMatchObject({ processed: true, attempt_count: 2 });
    expect((await statusOf(email)).engagement_score).toBe(before + 5);
  });

  test("of a kind that nobody knows are kept, done with, and signalled", async () => {
    const key = await deliver("resend", "email.teleported", aboutMail("far@example.com"));
    await station.quiet();
    expect((await inboxRow(key)).processed).toBe(true);
    expect((await station.report()).troubles["signal.webhook-unknown-type"]).toBe(1);
    expect(await station.deadLetters("webhook-events")).toEqual([]);
  });
});

describe("Polar's events", () => {
  const job = async () => {
    const [row] = await station.sql<{ id: string }>(
      `insert into jobs (slug, title, company, description, category, link, status, contact_email)
       values ('job-' || gen_random_uuid(), 'Engineer', 'Example', 'Work', 'engineering', 'https://example.com',
         'pending_payment', 'poster@example.com') returning id`,
    );
    return row?.id ?? "";
  };
  const jobRow = async (id: string) =>
    (
      await station.sql<{ status: string; paid_at: Date | null }>("select status, paid_at from jobs where id = $1", [
        id,
      ])
    )[0];
  const order = (jobId: string) => ({
    data: { id: "order-1", metadata: { job_id: jobId }, total_amount: 9900, currency: "usd" },
  });

  test("put a paid job online once, found by the metadata inside the order", async () => {
    const id = await job();
    const key = await deliver("polar", "order.paid", order(id));
    await deliver("polar", "order.paid", order(id), key);
    await station.advance(120_000);
    expect(await jobRow(id)).toMatchObject({ status: "active", paid_at: expect.any(Date) });
    expect(await inboxRow(key)).toMatchObject({ processed: true, related_id: id });
  });

  test("that fit no job are kept and signalled, since somebody paid", async () => {
    const key = await deliver("polar", "order.paid", { data: { id: "order-2", metadata: {} } });
    await station.quiet();
    expect((await inboxRow(key)).processed).toBe(true);
    expect((await station.report()).troubles["signal.payment-unmatched"]).toBe(1);
  });
});

describe("Vercel's events", () => {
  const deployment = (target: string, branch: string) => ({
    payload: { target, deployment: { id: "dpl_preview", url: "x.vercel.app", meta: { branch } } },
  });
  const passedOn = async () => (await station.report()).queues["changelog-process"]?.received ?? 0;

  test.each([
    ["a preview", "preview", config.changelog.branch],
    ["another branch", "production", "experiment"],
  ])("of %s end in the inbox", async (_, target, branch) => {
    const before = await passedOn();
    const key = await deliver("vercel", "deployment.succeeded", deployment(target, branch));
    await station.quiet();
    expect((await inboxRow(key)).processed).toBe(true);
    expect(await passedOn()).toBe(before);
  });

  test("of a release are passed on to the changelog, which closes them", async () => {
    const before = await passedOn();
    await deliver("vercel", "deployment.succeeded", deployment("production", config.changelog.branch), "release-1");
    await expect.poll(passedOn, { timeout: 20_000 }).toBe(before + 1);
  });
});
