import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { config } from "../../station.config.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

// Many functions may have to start at once, on a machine that does much else.
vi.setConfig({ testTimeout: 60_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const dayMs = 86_400_000;
const { topics, segments } = config.resend;

/** The last call so far, so that a test sees only its own. */
const lastCall = async () => (await station.calls()).at(-1)?.seq ?? 0;

/** Calls of the site's revalidate endpoint that make the newsletter's pages stale. */
const refreshes = async (after: number) =>
  (await station.calls("site", after)).map(({ status, body, correlationId }) => ({ status, body, correlationId }));
const lastRefresh = async () => (await station.calls("site")).at(-1)?.seq ?? 0;

const subscriptionOf = async (email: string) => {
  const rows = await station.sql<{ id: string; status: string; sync_status: string; subscribed_at: Date }>(
    "select id, status, sync_status, subscribed_at from newsletter_subscriptions where email = $1",
    [email],
  );
  expect(rows).toHaveLength(1);
  return rows[0] as (typeof rows)[number];
};

describe("A first subscription", () => {
  const email = "ada@example.com";

  beforeAll(async () => {
    const answer = await station.call("/email/subscribe", {
      body: {
        email: "  Ada@Example.com ",
        source: "post_copy",
        copy_type: "code",
        copy_category: "mcp",
        referrer: "/mcp/calendar-reader",
      },
      headers: { "x-correlation-id": "from-the-site-1" },
    });
    expect(answer.status).toBe(202);
    expect(answer.json()).toEqual({
      success: true,
      id: expect.stringMatching(/^[\w-]{36,64}$/),
      correlation_id: "from-the-site-1",
    });
    await station.quiet();
  });

  test("makes the contact complete in one call", async () => {
    const calls = (await station.calls()).filter(({ path }) => path.startsWith("/contacts"));
    expect(calls.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual(["POST /contacts 201"]);
    const contact = await station.contact(email);
    expect(contact?.unsubscribed).toBe(false);
    expect(contact?.properties).toEqual({
      signup_source: "post_copy",
      copy_type: "code",
      primary_interest: "mcp",
      signup_page: "/mcp/calendar-reader",
      engagement_score: 75,
      total_copies: 1,
      last_active: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(contact?.segments.toSorted()).toEqual([segments.newsletter, segments["high-engagement"]].toSorted());
    expect(contact?.topics.filter(({ subscription }) => subscription === "opt_in").map(({ id }) => id)).toEqual([
      topics["weekly-digest"],
      topics["mcp-integrations"],
    ]);
  });

  test("sends one welcome that names its recipient and can be stopped", async () => {
    const { id } = await subscriptionOf(email);
    const mails = await station.outbox(email);
    expect(mails).toHaveLength(1);
    const [mail] = mails;
    expect(mail?.to).toEqual([email]);
    expect(mail?.from).toBe(config.senders.hello);
    expect(mail?.subject).toContain("Welcome to Example Directory");
    expect(mail?.html).toContain(email);
    expect(mail?.text).toContain(`This mail was sent to ${email}`);
    expect(mail?.idempotencyKey).toBe(`welcome/${id}`);
    expect(mail?.tags.map(({ name }) => name).toSorted()).toEqual(["ledger", "type"]);
    expect(mail?.tags.find(({ name }) => name === "ledger")?.value).toMatch(/^[0-9a-f]{64}$/);
    expect(mail?.headers["List-Unsubscribe-Post"]).toBe("List-Unsubscribe=One-Click");
    const link = /^<(.+)>$/.exec(mail?.headers["List-Unsubscribe"] ?? "")?.[1] ?? "";
    expect(link.startsWith(`${station.api}/email/unsubscribe?token=${id}.`)).toBe(true);
    expect(mail?.html).toContain(link);
    expect(mail?.text).toContain(link);
    const page = await station.call(link.slice(station.api.length));
    expect(page.status).toBe(200);
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
  });

  test("leaves an active row and an enrolment whose second step is due two days after sign-up", async () => {
    const { status, sync_status, subscribed_at } = await subscriptionOf(email);
    expect({ status, sync_status }).toEqual({ status: "active", sync_status: "synced" });
    const steps = await station.sql<{ step: number; due_at: Date; processed: boolean }>(
      "select step, due_at, processed from email_sequence_schedule where email = $1 order by step",
      [email],
    );
    expect(steps.map(({ step, processed }) => ({ step, processed }))).toEqual([{ step: 2, processed: false }]);
    expect(steps[0]?.due_at.getTime()).toBe(subscribed_at.getTime() + 2 * dayMs);
  });

  test("carries the caller's correlation id to every call of the vendor", async () => {
    const calls = await station.calls();
    expect(calls.length).toBeGreaterThanOrEqual(2);
    expect(new Set(calls.map(({ correlationId }) => correlationId))).toEqual(new Set(["from-the-site-1"]));
  });

  test("makes what the site says of the newsletter stale, once", async () => {
    expect(await refreshes(0)).toEqual([
      { status: 200, body: { tags: ["newsletter"] }, correlationId: "from-the-site-1" },
    ]);
  });

  test("asked for again changes nothing and sends nothing", async () => {
    const after = await lastCall();
    const afterRefresh = await lastRefresh();
    const before = await subscriptionOf(email);
    expect((await station.subscribe(email)).status).toBe(202);
    await station.quiet();
    expect(await station.calls("resend", after)).toEqual([]);
    expect(await refreshes(afterRefresh)).toEqual([]);
    expect(await station.outbox(email)).toHaveLength(1);
    expect((await subscriptionOf(email)).id).toBe(before.id);
  });
});

describe("Twenty people with one address", () => {
  test("become one contact, one row and one welcome, however they race", async () => {
    const email = "crowd@example.com";
    const after = await lastCall();
    const answers = await Promise.all(Array.from({ length: 20 }, () => station.subscribe(email)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
    await station.quiet();

    await subscriptionOf(email);
    expect((await station.contacts()).filter((contact) => contact.email === email)).toHaveLength(1);
    expect(await station.outbox(email)).toHaveLength(1);
    const sends = (await station.calls("resend", after)).filter(({ path }) => path === "/emails");
    expect(new Set(sends.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
    const report = await station.report();
    expect(report.deadLetters).toEqual({});
    expect(report.queues.subscription?.done).toBe(report.queues.subscription?.received);
  });
});

describe("Somebody who left", () => {
  test("is subscribed anew on demand, everywhere, without a second welcome", async () => {
    const email = "back@example.com";
    await station.subscribe(email);
    await station.quiet();
    const link = (await station.outbox(email))[0]?.headers["List-Unsubscribe"]?.slice(1, -1) ?? "";
    await station.call(link.slice(station.api.length), { body: "", method: "POST" });
    await station.quiet();
    expect((await subscriptionOf(email)).status).toBe("unsubscribed");
    expect((await station.contact(email))?.unsubscribed).toBe(true);

    const afterRefresh = await lastRefresh();
    await station.subscribe(email, { copy_category: "guides" });
    await station.quiet();
    expect((await refreshes(afterRefresh)).map(({ body }) => body)).toEqual([{ tags: ["newsletter"] }]);
    expect((await subscriptionOf(email)).status).toBe("active");
    const contact = await station.contact(email);
    expect(contact?.unsubscribed).toBe(false);
    expect(contact?.segments).toContain(segments.newsletter);
    expect(contact?.segments).toHaveLength(2);
    expect(contact?.topics.filter(({ subscription }) => subscription === "opt_in").map(({ id }) => id)).toContain(
      topics["guides-tutorials"],
    );
    expect(await station.outbox(email)).toHaveLength(1);
  });
});

describe("Somebody who asks again", () => {
  /** Subscribed that many days ago by a message that died before it came to the welcome, or whose record is gone. */
  const subscribedWithoutRecord = async (email: string, daysAgo: number) => {
    const at = new Date(Date.parse((await station.report()).now) - daysAgo * dayMs).toISOString();
    await station.sql("select subscribe_newsletter(p_email => $1, p_now => $2)", [email, at]);
    await station.subscribe(email);
    await station.quiet();
    expect((await subscriptionOf(email)).sync_status).toBe("synced");
  };

  test("within the ledger's memory gets the welcome that never left", async () => {
    await subscribedWithoutRecord("unwelcomed@example.com", 88);
    expect(await station.outbox("unwelcomed@example.com")).toHaveLength(1);
  });

  test("when the ledger has forgotten their welcome gets no second one", async () => {
    const email = "faithful@example.com";
    await subscribedWithoutRecord(email, 100);
    expect(await station.outbox(email)).toEqual([]);
    expect((await station.report()).deadLetters).toEqual({});

    await station.sql(
      "select unsubscribe_newsletter(id, 'page', now()) from newsletter_subscriptions where email = $1",
      [email],
    );
    await station.subscribe(email);
    await station.quiet();
    expect(await station.outbox(email)).toHaveLength(1);
  });

  test("after they came back while the ledger still knew their welcome gets no second one either", async () => {
    const email = "returned@example.com";
    await subscribedWithoutRecord(email, 100);
    await station.sql(
      "update newsletter_subscriptions set resubscribed_at = now() - interval '20 days' where email = $1",
      [email],
    );
    await station.subscribe(email);
    await station.quiet();
    expect(await station.outbox(email)).toEqual([]);
  });
});

describe("A blocklisted address", () => {
  test("is suppressed: no contact, no mail, no failure", async () => {
    const email = "blocked@example.com";
    const after = await lastCall();
    const afterRefresh = await lastRefresh();
    const suppressedBefore = (await station.report()).queues.subscription?.suppressed ?? 0;
    await station.sql("insert into email_blocklist (email, reason) values ($1, 'spam_complaint')", [email]);
    expect((await station.subscribe(email)).status).toBe(202);
    await station.quiet();
    expect(await station.calls("resend", after)).toEqual([]);
    expect(await refreshes(afterRefresh)).toEqual([]);
    expect(await station.outbox(email)).toEqual([]);
    expect((await station.report()).queues.subscription?.suppressed).toBe(suppressedBefore + 1);
    expect((await station.report()).deadLetters).toEqual({});
  });
});
