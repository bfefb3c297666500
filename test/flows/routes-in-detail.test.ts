import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QueueName } from "../../registry/queues.ts";
import { effects, expectProblem, received } from "./effects.ts";
import { deployment, hookBody, notification, resendEvent, row, userId } from "./route-table.ts";
import { signingFor } from "./signing.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
let sign: ReturnType<typeof signingFor>;
beforeAll(async () => {
  station = await startFlowStation();
  sign = signingFor(station);
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

describe("A signed-in user", () => {
  test("is known by a token of the project's keys or of its shared secret", async () => {
    for (const algorithm of ["ES256", "HS256"] as const) {
      const answer = await station.call("/active-notifications", { headers: await sign.user(userId, { algorithm }) });
      expect(answer.status, algorithm).toBe(200);
    }
  });

  test("gets only what was not dismissed, here or on another device, and HEAD without a body", async () => {
    const ids = await Promise.all(
      ["First of two", "Second of two"].map(async (title) => {
        const answer = await station.call("/notifications/create", {
          body: { ...notification, title, action_href: "/trending" },
          headers: { ...sign.internal(), ...(await sign.user(userId)) },
        });
        return answer.json<{ id: string }>().id;
      }),
    );
    const member = await sign.user(randomUUID());
    const shown = async (query = "") =>
      (await station.call(`/active-notifications${query}`, { headers: member }))
        .json<{ notifications: { id: string }[] }>()
        .notifications.map(({ id }) => id)
        .filter((id) => ids.includes(id));
    expect((await shown()).toSorted()).toEqual(ids.toSorted());
    expect(await shown(`?dismissed=${ids[0]}`)).toEqual([ids[1]]);
    const dismissal = { notificationIds: [ids[1], ids[1], "never-there"] };
    const dismissed = await station.call("/dismiss", { body: dismissal, headers: member });
    expect(dismissed.json()).toMatchObject({ success: true, dismissed: 1, unknown: 1 });
    expect(await shown()).toEqual([ids[0]]);
    const head = await station.call("/active-notifications", { method: "HEAD", headers: member });
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test("may not dismiss more than fifty at once", async () => {
    const notificationIds = Array.from({ length: 51 }, (_, index) => `n-${index}`);
    const answer = await station.call("/dismiss", { body: { notificationIds }, headers: await sign.user(userId) });
    expectProblem(answer, 400);
  });
});

describe("The welcome's two callers", () => {
  test("are told apart by who signed, not by X-Trigger-Source", async () => {
    const body = JSON.stringify({ email: "reader@example.com", subscription_id: randomUUID() });
    const headers = { "content-type": "application/json", "x-trigger-source": "newsletter_subscription" };
    expectProblem(await station.call("/email/welcome", { body, headers }), 401);
    const asHook = await station.call("/email/welcome", { body, headers: { ...headers, ...sign.authHook({ body }) } });
    expectProblem(asHook, 400);
  });

  test("a subscription's welcome goes out once, however often it is asked for", async () => {
    // A row that some other program of ours has made: no welcome was sent.
    const { data, error } = await station.supabase.rpc("subscribe_newsletter", {
      p_email: "once@example.com",
      p_source: "oauth_signup",
      p_referrer: null,
      p_copy_type: null,
      p_copy_category: null,
      p_copy_slug: null,
      p_engagement_score: 50,
      p_primary_interest: "general",
      p_total_copies: 0,
      p_topics: [],
      p_now: new Date().toISOString(),
    });
    expect(error).toBeNull();
    const body = { email: "once@example.com", subscription_id: data.subscription_id };
    for (let time = 0; time < 2; time += 1) {
      expect((await station.callInternal("/email/welcome", { body })).status).toBe(202);
      await station.quiet();
      expect(await station.outbox("once@example.com")).toHaveLength(1);
    }
  });

  test("a subscription that has ended gets no welcome", async () => {
    await station.subscribe("ended@example.com");
    await station.quiet();
    const [ended] = await station.sql<{ id: string }>(
      "update newsletter_subscriptions set status = 'unsubscribed' where email = $1 returning id",
      ["ended@example.com"],
    );
    const before = (await station.outbox()).length;
    const body = { email: "ended@example.com", subscription_id: ended?.id };
    expect((await station.callInternal("/email/welcome", { body })).status).toBe(202);
    await station.quiet();
    expect((await station.report()).queues.subscription?.suppressed).toBe(1);
    expect(await station.outbox()).toHaveLength(before);
  });

  test("an action that no mail is known for is answered, and rings", async () => {
    const unknown = hookBody();
    unknown.email_data.email_action_type = "telepathy";
    const body = JSON.stringify(unknown);
    const answer = await station.call("/email/welcome", {
      body,
      headers: { "content-type": "application/json", ...sign.authHook({ body }) },
    });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ success: true, skipped: true, action_type: "telepathy" });
    expect((await station.report()).troubles["signal.auth-mail-unknown"]).toBe(1);
  });
});

describe("The contact form", () => {
  test("stores what was written and mails the team and the visitor, once for a submission", async () => {
    const submissionId = randomUUID();
    const body = { submissionId, name: "Eve", email: "eve@example.com", category: "bug", message: "It broke." };
    for (let time = 0; time < 2; time += 1)
      expect((await station.call("/email/contact", { body, headers: sign.captcha() })).status).toBe(202);
    await station.quiet();
    const stored = await station.sql("select name, category, message from contact_submissions where id = $1", [
      submissionId,
    ]);
    expect(stored).toEqual([{ name: "Eve", category: "bug", message: "It broke." }]);
    expect(await station.outbox("eve@example.com")).toHaveLength(1);
    const toTeam = (await station.outbox()).filter(({ subject }) => subject.includes("Eve"));
    expect(toTeam).toHaveLength(1);
  });

  test("answers 503 while the captcha cannot be checked, and stores nothing", async () => {
    const before = await effects(station);
    await station.faults({ rate5xx: 1 }, "turnstile");
    const body = { name: "Ada", email: "ada@example.com", category: "general", message: "Hello" };
    const answer = await station.call("/email/contact", { body, headers: sign.captcha() });
    await station.faults({}, "turnstile");
    expectProblem(answer, 503);
    expect(await effects(station)).toEqual(before);
  });
});

describe("A route that fills a queue", () => {
  const view = (slug: string, padding = "") => ({
    content_type: "mcp",
    content_slug: slug,
    interaction_type: "view",
    metadata: { padding },
  });

  test("takes an array of nearly 5 MB, and lists by index what it refuses", async () => {
    const padding = "x".repeat(900);
    const items: unknown[] = Array.from({ length: 4_700 }, (_, index) => view(`entry-${index}`, padding));
    items[7] = { interaction_type: "" };
    items[4_000] = "nonsense";
    // Within the array's limit, and more than SQS takes as one message.
    items[9] = view("huge", "x".repeat(100));
    const body = JSON.stringify(items);
    expect(body.length).toBeGreaterThan(4_700_000);
    const before = (await received(station)).pulse ?? 0;
    const answer = await station.callInternal("/pulse", { body, headers: { "content-type": "application/json" } });
    expect(answer.status, answer.text.slice(0, 300)).toBe(207);
    const { queued, refused } = answer.json<{ queued: number; refused: { index: number }[] }>();
    expect(queued).toBe(4_698);
    expect(refused.map(({ index }) => index)).toEqual([7, 4_000]);
    expect(((await received(station)).pulse ?? 0) - before).toBe(4_698);
  }, 120_000);

  test("refuses the one item that no message can hold, and queues the rest", async () => {
    const items = [view("small"), view("large", "x".repeat(1_100_000))];
    const answer = await station.callInternal("/pulse", { body: items });
    expect(answer.status).toBe(207);
    expect(answer.json()).toMatchObject({
      queued: 1,
      refused: [{ index: 1, reason: expect.stringContaining("bytes") }],
    });
  });

  test("answers a problem when no item is valid, with the reason of each", async () => {
    const answer = await station.callInternal("/pulse", { body: [{ interaction_type: "" }, 7] });
    expectProblem(answer, 400);
    expect(answer.json<{ errors: { field: string }[] }>().errors.map(({ field }) => field)).toEqual(["0", "1"]);
  });

  test("refuses more items than it could queue in time, and none at all", async () => {
    expectProblem(await station.callInternal("/pulse", { body: Array.from({ length: 10_001 }, () => 0) }), 413);
    expectProblem(await station.callInternal("/pulse", { body: [] }), 400);
  });

  test("whose body fits and whose event does not is refused by the gateway, before any code runs", async () => {
    const body = JSON.stringify(['"'.repeat(2_400_000)]);
    const answer = await station.callInternal("/pulse", { body, headers: { "content-type": "application/json" } });
    expect([answer.status, answer.json()]).toEqual([413, { message: "Request Too Long" }]);
  });

  test("sent again with its key, an array is the same messages", async () => {
    const body = [view("again-1"), view("again-2"), { interaction_type: "" }];
    const headers = { "idempotency-key": "array-1" };
    const first = await station.callInternal("/pulse", { body, headers });
    const before = await received(station);
    const second = await station.callInternal("/pulse", { body, headers });
    expect([first.status, second.status]).toEqual([207, 207]);
    expect(second.json()).toEqual(first.json());
    expect(await received(station)).toEqual(before);
  });
});

describe("A sweep of the outbox", () => {
  const sweeps = async () => {
    await station.quiet();
    return (await station.report()).queues["outbox-sweep"]?.received ?? 0;
  };

  test("is started by the database's poke and by processing the queues", async () => {
    const body = JSON.stringify({ type: "INSERT", table: "outbox", schema: "public" });
    const headers = { "content-type": "application/json", ...sign.database({ body }) };
    const before = await sweeps();
    expect((await station.call("/embedding/webhook", { body, headers })).status).toBe(202);
    const between = await sweeps();
    expect(between).toBeGreaterThan(before);
    expect((await station.callInternal("/process-queues")).status).toBe(200);
    expect(await sweeps()).toBeGreaterThan(between);
  });
});

describe("Processing the queues", () => {
  test("tells how each fares in the original's shape, and sweeps the outbox", async () => {
    const answer = await station.callInternal("/process-queues");
    const { summary } = answer.json<{ summary: { totalQueues: number; results: { queue: string }[] } }>();
    expect(summary).toMatchObject({ totalQueues: summary.results.length, totalMessagesProcessed: 1 });
    expect(summary.results.find(({ queue }) => queue === "outbox-sweep")).toMatchObject({
      success: true,
      processed: 1,
    });
  });
});

describe("A direct announcement", () => {
  const direct = (type: string, body: unknown) =>
    station.callInternal("/discord/direct", { body, headers: { "x-discord-notification-type": type } });

  test("goes to the queue of its type", async () => {
    const before = await received(station);
    for (const [type, change] of [
      ["submission", "INSERT"],
      ["content", "UPDATE"],
      ["changelog", "INSERT"],
    ] as const)
      expect((await direct(type, row(change))).status).toBe(202);
    const after = await received(station);
    const more = (queue: QueueName) => (after[queue] ?? 0) - (before[queue] ?? 0);
    expect([more("discord-submissions"), more("changelog-notify")]).toEqual([2, 1]);
  });

  test("of an error rings and is posted nowhere", async () => {
    const before = await received(station);
    expect((await direct("error", row("INSERT"))).status).toBe(202);
    expect(await received(station)).toEqual(before);
    expect((await station.report()).troubles["signal.error-reported"]).toBe(1);
  });

  test.each([
    ["an unknown type", "poem", row("INSERT")],
    ["no type", "", row("INSERT")],
    ["a submission that is not new", "submission", row("UPDATE")],
  ])("is refused for %s", async (_what, type, body) => {
    expectProblem(await direct(type, body), 400);
  });
});

describe("Former spellings", () => {
  test.each([
    ["/active-notifications/", "/active-notifications"],
    ["/active-notifications-of-mine?dismissed=a", "/active-notifications?dismissed=a"],
  ])("%s is redirected to %s", async (former, present) => {
    const answer = await station.call(former);
    expect([answer.status, answer.headers.location]).toEqual([308, present]);
  });

  test.each([
    ["/dismiss-notifications", "/dismiss"],
    ["/notifications/create/", "/notifications/create"],
    ["/flux-station/discord/jobs/", "/discord/jobs"],
  ])("POST %s is redirected to %s", async (former, present) => {
    const answer = await station.call(former, { body: {} });
    expect([answer.status, answer.headers.location]).toEqual([308, present]);
  });

  test("of a webhook's address is carried out at once: a vendor follows no redirect", async () => {
    const body = JSON.stringify(deployment());
    const headers = { "content-type": "application/json", ...sign.vercel({ body }) };
    expect((await station.call("/flux-station/changelog-webhook/", { body, headers })).status).toBe(202);
    const unsigned = await station.call("/changelog-webhook/", {
      body,
      headers: { ...headers, "x-vercel-signature": "0" },
    });
    expectProblem(unsigned, 401);
  });

  test("a webhook that lacks one of its vendor's headers is no webhook", async () => {
    const body = JSON.stringify(resendEvent());
    const { "svix-id": _id, ...headers } = sign.resend({ body });
    expectProblem(await station.call("/", { body, headers: { "content-type": "application/json", ...headers } }), 404);
  });

  test("OPTIONS tells what a path takes, and browsers of the site what they may send", async () => {
    const plain = await station.call("/dismiss", { method: "OPTIONS" });
    expect([plain.status, plain.headers.allow]).toEqual([204, "POST, OPTIONS"]);
    const preflight = (origin: string) =>
      station.call("/dismiss", { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    const own = await preflight("https://directory.example.com");
    expect(own.headers["access-control-allow-origin"]).toBe("https://directory.example.com");
    expect(own.headers["access-control-allow-headers"]).toContain("authorization");
    expect((await preflight("https://evil.example.com")).headers["access-control-allow-origin"]).toBeUndefined();
  });
});
