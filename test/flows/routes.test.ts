import { randomUUID } from "node:crypto";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QueueName } from "../../registry/queues.ts";
import { type RouteName, type RouteRecord, routes } from "../../registry/routes.ts";
import { type Answer, freshAddress } from "./http.ts";
import { signingFor } from "./signing.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

type Headers = Record<string, string>;
type Signer = ReturnType<typeof signingFor>;

/** How the caller of a scheme shows who it is, and every way of failing to. */
interface Scheme {
  genuine: (sign: Signer, body: string) => Headers | Promise<Headers>;
  /** Each must be turned away: a credential of the right kind that is not good, or not any more. */
  wrong: Record<string, (sign: Signer, body: string) => Headers | Promise<Headers>>;
  expired?: Record<string, (sign: Signer, body: string) => Headers | Promise<Headers>>;
  /** What becomes of the same bytes sent again by somebody who overheard them, where the scheme can tell. */
  replayed?: "is refused" | "has no second effect";
}

/** One of the 24 routes of the original, with a request that it carries out. */
interface Row {
  name: RouteName;
  /** Who calls, where several may. */
  by?: string;
  /** Where it is not the record's own. */
  path?: string;
  method?: "GET";
  scheme: Scheme;
  headers?: Headers;
  body?: () => unknown;
  status: 200 | 202;
  /** Messages that a valid request brings, by queue. */
  brings: Partial<Record<QueueName, number>>;
  /** A body of the wrong shape; not for routes that take none. */
  malformed?: unknown;
}

const userId = randomUUID();
const sixMinutesMs = 360_000;
const other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const internalSecret: Scheme = {
  genuine: (sign) => sign.internal(),
  wrong: {
    "another secret": () => ({ "x-internal-secret": "wrong" }),
    "the secret in another place": (sign) => ({ authorization: `Bearer ${sign.internal()["x-internal-secret"]}` }),
    "a user's token": (sign) => sign.user(userId),
  },
};
const anyone: Scheme = { genuine: () => ({}), wrong: {} };
const user: Scheme = {
  genuine: (sign) => sign.user(userId),
  wrong: {
    "a token signed with another secret": (sign) => sign.user(userId, { key: { jwtSecret: "x".repeat(48) } }),
    "a token for another audience": (sign) => sign.user(userId, { claims: { aud: "somebody-else" } }),
    "a token of nobody": (sign) => sign.user(userId, { claims: { sub: "service_role" } }),
    "a token that nobody signed": () => ({
      authorization: `Bearer ${[{ alg: "none" }, { sub: userId, aud: "authenticated", exp: 4_000_000_000 }]
        .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
        .join(".")}.`,
    }),
    "no token": () => ({ authorization: "Bearer not.a.token" }),
    "the internal secret": (sign) => sign.internal(),
  },
  expired: { "a token of yesterday": (sign) => sign.user(userId, { atMs: Date.now() - 86_400_000 }) },
};
const both: Scheme = {
  genuine: async (sign) => ({ ...sign.internal(), ...(await sign.user(userId)) }),
  wrong: { "the secret alone": (sign) => sign.internal(), "a user's token alone": (sign) => sign.user(userId) },
  expired: {
    "a token of yesterday": async (sign) => ({
      ...sign.internal(),
      ...(await sign.user(userId, { atMs: Date.now() - 86_400_000 })),
    }),
  },
};
const signedBy = (vendor: "resend" | "polar" | "authHook"): Scheme => ({
  genuine: (sign, body) => sign[vendor]({ body }),
  wrong: {
    "another secret": (sign, body) => sign[vendor]({ body, secret: other }),
    "a signature of another body": (sign, body) => sign[vendor]({ body: `${body} ` }),
    "a later time than was signed": (sign, body) => ({
      ...sign[vendor]({ body, atMs: Date.now() - sixMinutesMs }),
      [vendor === "resend" ? "svix-timestamp" : "webhook-timestamp"]: String(Math.floor(Date.now() / 1000)),
    }),
  },
  expired: {
    "a signature six minutes old": (sign, body) => sign[vendor]({ body, atMs: Date.now() - sixMinutesMs }),
    "a signature of in six minutes": (sign, body) => sign[vendor]({ body, atMs: Date.now() + sixMinutesMs }),
  },
  replayed: "has no second effect",
});
const vercel: Scheme = {
  genuine: (sign, body) => sign.vercel({ body }),
  wrong: {
    "another secret": (sign, body) => sign.vercel({ body, secret: "another" }),
    "a signature of another body": (sign, body) => sign.vercel({ body: `${body} ` }),
  },
  replayed: "has no second effect",
};
const database: Scheme = {
  genuine: (sign, body) => sign.database({ body }),
  wrong: {
    "another secret": (sign, body) => sign.database({ body, secret: "another" }),
    "a signature of another body": (sign, body) => sign.database({ body: `${body} ` }),
    "no time": (sign, body) => ({ ...sign.database({ body }), "x-webhook-timestamp": "" }),
  },
  expired: {
    "a signature six minutes old": (sign, body) => sign.database({ body, atMs: Date.now() - sixMinutesMs }),
    "a signature of in six minutes": (sign, body) => sign.database({ body, atMs: Date.now() + sixMinutesMs }),
  },
  replayed: "has no second effect",
};
const captcha: Scheme = {
  genuine: (sign) => sign.captcha(),
  wrong: { "a token of nobody": () => ({ "x-captcha-token": "invalid" }) },
  expired: { "a challenge solved six minutes ago": (sign) => sign.captcha(Date.now() - sixMinutesMs) },
  replayed: "is refused",
};

const job = { userEmail: "poster@example.com", jobId: "job-1", jobTitle: "Cook", company: "Canteen" };
const row = (type: string) => ({ type, table: "any", schema: "public", record: { id: randomUUID() } });
const hookBody = () => ({
  user: { id: userId, email: "member@example.com" },
  email_data: {
    email_action_type: "recovery",
    token: "123456",
    token_hash: "hash",
    redirect_to: "https://directory.example.com",
    site_url: "https://directory.example.com",
  },
});
const resendEvent = () => ({
  type: "email.delivered",
  created_at: new Date().toISOString(),
  data: { email_id: randomUUID(), to: ["reader@example.com"], created_at: new Date().toISOString() },
});
const deployment = () => ({
  id: `evt_${randomUUID()}`,
  type: "deployment.created",
  createdAt: Date.now(),
  payload: {},
});
const notification = { title: "Something new", message: "There is something new to see." };

const rows: Row[] = [
  {
    name: "email-subscribe",
    scheme: anyone,
    body: () => ({ email: "reader@example.com" }),
    status: 202,
    brings: { subscription: 1 },
    malformed: { email: "nobody" },
  },
  {
    name: "email-welcome",
    by: "Supabase Auth",
    scheme: signedBy("authHook"),
    body: hookBody,
    status: 202,
    brings: { email: 1 },
    malformed: { user: {} },
  },
  {
    name: "email-welcome",
    by: "our own server",
    scheme: internalSecret,
    headers: { "x-trigger-source": "newsletter_subscription" },
    body: () => ({ email: "reader@example.com", subscription_id: randomUUID() }),
    status: 202,
    brings: { subscription: 1 },
    malformed: { email: "reader@example.com" },
  },
  {
    name: "email-transactional",
    scheme: internalSecret,
    body: () => ({
      type: "job-posted",
      email: "poster@example.com",
      data: { jobTitle: "Cook", company: "Canteen", jobSlug: "cook" },
    }),
    status: 202,
    brings: { email: 1 },
    malformed: { type: "job-posted", email: "poster@example.com", data: { jobTitle: "Cook" } },
  },
  { name: "email-digest", scheme: internalSecret, status: 202, brings: {}, malformed: { mode: "carrier-pigeon" } },
  { name: "email-sequence", scheme: internalSecret, status: 202, brings: {}, malformed: { scheduled_time: "soon" } },
  { name: "email-count", scheme: anyone, body: () => ({}), status: 200, brings: {} },
  {
    name: "email-contact",
    scheme: captcha,
    body: () => ({ name: "Ada", email: "ada@example.com", category: "general", message: "Hello there" }),
    status: 202,
    brings: { email: 2 },
    malformed: { name: "Ada", email: "ada@example.com", category: "spam", message: "Hello" },
  },
  {
    name: "email-job-lifecycle",
    scheme: internalSecret,
    headers: { "x-email-action": "job-submitted" },
    body: () => job,
    status: 202,
    brings: { email: 1 },
    malformed: { userEmail: "poster@example.com", jobId: "job-1" },
  },
  {
    name: "embedding-process",
    scheme: internalSecret,
    body: () => ({ content_id: randomUUID() }),
    status: 202,
    brings: { "embedding-generation": 1 },
    malformed: { content_id: "7" },
  },
  {
    name: "embedding-webhook",
    scheme: database,
    body: () => ({ type: "INSERT", table: "outbox", schema: "public" }),
    status: 202,
    brings: {},
  },
  {
    name: "changelog-webhook",
    scheme: vercel,
    body: deployment,
    status: 202,
    brings: { "webhook-events": 1 },
    malformed: { id: "evt" },
  },
  {
    name: "pulse",
    scheme: internalSecret,
    body: () => ({ content_type: "mcp", content_slug: "calendar", interaction_type: "view" }),
    status: 202,
    brings: { pulse: 1 },
    malformed: { interaction_type: "" },
  },
  {
    name: "changelog-process",
    scheme: internalSecret,
    body: () => ({ webhook_event_id: randomUUID() }),
    status: 202,
    brings: { "changelog-process": 1 },
    malformed: {},
  },
  {
    name: "changelog-notify",
    scheme: internalSecret,
    body: () => ({ entry_id: randomUUID() }),
    status: 202,
    brings: { "changelog-notify": 1 },
    malformed: {},
  },
  {
    name: "discord-jobs",
    scheme: internalSecret,
    body: () => ({ job_id: randomUUID(), change: "UPDATE" }),
    status: 202,
    brings: { "discord-jobs": 1 },
    malformed: { job_id: randomUUID() },
  },
  {
    name: "discord-submissions",
    scheme: internalSecret,
    body: () => ({ submission_id: randomUUID(), change: "INSERT" }),
    status: 202,
    brings: { "discord-submissions": 1 },
    malformed: { change: "INSERT" },
  },
  {
    name: "revalidation",
    scheme: internalSecret,
    body: () => ({ table: "content", change: "UPDATE", current: { category: "mcp", slug: "calendar", tags: [] } }),
    status: 202,
    brings: { revalidation: 1 },
    malformed: { table: "content" },
  },
  { name: "active-notifications", method: "GET", scheme: user, status: 200, brings: {} },
  {
    name: "dismiss-notifications",
    scheme: user,
    body: () => ({ notificationIds: ["gone"] }),
    status: 200,
    brings: {},
    malformed: { notificationIds: [] },
  },
  {
    name: "create-notification",
    scheme: both,
    body: () => notification,
    status: 200,
    brings: { revalidation: 1 },
    malformed: { title: "Hi", message: "Too short" },
  },
  {
    name: "discord-direct",
    scheme: internalSecret,
    headers: { "x-discord-notification-type": "job" },
    body: () => row("INSERT"),
    status: 202,
    brings: { "discord-jobs": 1 },
    malformed: { type: "INSERT", record: {} },
  },
  { name: "process-queues", scheme: internalSecret, status: 200, brings: {} },
  {
    name: "webhooks",
    path: "/",
    by: "Resend",
    scheme: signedBy("resend"),
    body: resendEvent,
    status: 202,
    brings: { "webhook-events": 1 },
    malformed: { data: {} },
  },
  {
    name: "webhooks",
    path: "/flux-station",
    by: "Polar",
    scheme: signedBy("polar"),
    body: () => ({ type: "order.created", timestamp: new Date().toISOString(), data: {} }),
    status: 202,
    brings: { "webhook-events": 1 },
    malformed: { data: {} },
  },
  {
    name: "webhooks",
    path: "/",
    by: "Vercel",
    scheme: vercel,
    body: deployment,
    status: 202,
    brings: { "webhook-events": 1 },
    malformed: [],
  },
  {
    name: "image-generation-process",
    scheme: internalSecret,
    body: () => ({ type: "card", params: { title: "A card" } }),
    status: 202,
    brings: { "image-generation": 1 },
    malformed: { type: "card", params: {} },
  },
];

let station: FlowStation;
let sign: Signer;
let dynamodb: DynamoDBClient;
beforeAll(async () => {
  station = await startFlowStation();
  sign = signingFor(station);
  dynamodb = new DynamoDBClient({
    endpoint: station.endpoints.dynamodb,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
}, START_TIMEOUT_MS);
afterAll(async () => {
  dynamodb?.destroy();
  await station?.stop();
});

const recordOf = ({ name }: Row): RouteRecord => routes[name];
const titled = rows.map((each) => [each.name + (each.by ? ` called by ${each.by}` : ""), each] as const);
const bodyOf = ({ body }: Row): string => (body ? JSON.stringify(body()) : "");
/** A way of being let in, or not. */
type Show = (sign: Signer, body: string) => Headers | Promise<Headers>;

async function ask(
  each: Row,
  body: string,
  show: Show,
  more: { headers?: Headers; from?: string } = {},
): Promise<Answer> {
  const { path } = recordOf(each);
  const shown = await show(sign, body);
  return station.call(each.path ?? path, {
    method: each.method ?? "POST",
    ...(body ? { body } : {}),
    headers: {
      ...(body ? { "content-type": "application/json" } : {}),
      ...each.headers,
      ...shown,
      ...more.headers,
    },
    ...(more.from ? { from: more.from } : {}),
  });
}

function expectProblem(answer: Answer, status: number): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json()).toMatchObject({ status, correlation_id: expect.any(String) });
}

/** Uses up what a client has left in a bucket, in this minute and in the next. */
async function exhaust(bucket: RouteRecord["bucket"], client: string): Promise<void> {
  const minute = Math.floor(Date.parse((await station.report()).now) / 60_000);
  for (const window of [minute, minute + 1])
    await dynamodb.send(
      new PutItemCommand({
        TableName: "prod-flux-state",
        Item: { pk: { S: `bucket#${bucket}#${client}` }, sk: { S: String(window) }, hits: { N: "1000000" } },
      }),
    );
}

test("the table has every route of the original", () => {
  const added: RouteName[] = ["email-unsubscribe", "health"];
  const original = Object.keys(routes).filter((name) => !added.some((each) => each === name));
  expect([...new Set(rows.map(({ name }) => name))].toSorted()).toEqual(original.toSorted());
  expect(original).toHaveLength(24);
});

describe.each(titled)("%s turns away", (_title, each) => {
  const { scheme } = each;
  // At the default route, what shows no vendor's headers is no webhook.
  const withoutCredential = each.name === "webhooks" ? 404 : 401;

  if (scheme !== anyone)
    test("whoever shows no credential", async () => {
      expectProblem(await ask(each, bodyOf(each), () => ({})), withoutCredential);
    });

  for (const [what, show] of Object.entries(scheme.wrong)) {
    test(`whoever shows ${what}`, async () => {
      const answer = await ask(each, bodyOf(each), show);
      expect([401, withoutCredential]).toContain(answer.status);
      expectProblem(answer, answer.status);
    });
  }

  for (const [what, show] of Object.entries(scheme.expired ?? {})) {
    test(`${what}, which has expired`, async () => {
      expectProblem(await ask(each, bodyOf(each), show), 401);
    });
  }

  if (each.malformed !== undefined) {
    test("a body of another shape", async () => {
      expectProblem(await ask(each, JSON.stringify(each.malformed), scheme.genuine), 400);
    });

    test("a body that is no JSON", async () => {
      expectProblem(await ask(each, '{"broken', scheme.genuine), 400);
    });
  }

  if (each.method !== "GET")
    test("a body that is too large", async () => {
      const body = JSON.stringify({ padding: "x".repeat(recordOf(each).maxBodyBytes) });
      expectProblem(await ask(each, body, scheme.genuine), 413);
    });

  test("a client that has used up its bucket", async () => {
    const from = freshAddress();
    await exhaust(recordOf(each).bucket, from);
    const answer = await ask(each, bodyOf(each), scheme.genuine, { from });
    expectProblem(answer, 429);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(answer.headers["ratelimit-remaining"]).toBe("0");
  });
});

test("Nothing of what was turned away had an effect", async () => {
  await station.quiet();
  const { queues, deadLetters } = await station.report();
  // The sweep runs by itself, every minute.
  const { "outbox-sweep": _sweep, ...received } = queues;
  expect(received).toEqual({});
  expect(deadLetters).toEqual({});
  const [stored] = await station.sql<{ events: string; contacts: string; notifications: string }>(
    `select (select count(*) from webhook_events) as events, (select count(*) from contact_submissions) as contacts,
      (select count(*) from notifications) as notifications`,
  );
  expect(stored).toEqual({ events: "0", contacts: "0", notifications: "0" });
  expect(await station.calls()).toEqual([]);
});

const received = async (): Promise<Record<string, number>> => {
  await station.quiet();
  const { queues } = await station.report();
  // The sweep runs by itself too, every minute.
  return Object.fromEntries(
    Object.entries(queues).flatMap(([name, tally]) => (name === "outbox-sweep" ? [] : [[name, tally.received]])),
  );
};

/** What there is to show for it in the end: stored rows and sent mails. */
async function effects(): Promise<Record<string, unknown>> {
  await station.quiet();
  const [stored] = await station.sql(
    `select (select count(*) from webhook_events) as events, (select count(*) from contact_submissions) as contacts,
      (select count(*) from notifications) as notifications`,
  );
  return { ...stored, mails: (await station.outbox()).length };
}

describe.each(titled)("%s carries out", (_title, each) => {
  test("a valid request, and not again when its caller repeats it with its key", async () => {
    const key = { "idempotency-key": randomUUID() };
    const body = bodyOf(each);
    const shown = await each.scheme.genuine(sign, body);
    const before = await received();
    const answer = await ask(each, body, () => shown, { headers: key });
    expect(answer.status, answer.text).toBe(each.status);
    if (each.status === 202)
      expect(answer.json()).toEqual({ success: true, id: expect.any(String), correlation_id: expect.any(String) });
    if (each.status === 200 && each.name !== "email-count") expect(answer.json()).toMatchObject({ success: true });

    const after = await received();
    for (const [queue, amount] of Object.entries(each.brings))
      expect((after[queue] ?? 0) - (before[queue] ?? 0), queue).toBe(amount);
    const done = await effects();

    const again = await ask(each, body, () => shown, { headers: key });
    expect(again.status, again.text).toBe(each.status);
    if (each.status === 202) expect(again.json()).toEqual(answer.json());
    expect(await received()).toEqual(after);
    expect(await effects()).toEqual(done);
  });

  const { replayed } = each.scheme;
  if (!replayed) return;
  test(`a request that, replayed by a stranger, ${replayed}`, async () => {
    const body = bodyOf(each);
    const shown = await each.scheme.genuine(sign, body);
    expect((await ask(each, body, () => shown)).status).toBe(each.status);
    const done = await effects();
    const replay = await ask(each, body, () => shown);
    if (replayed === "is refused") expectProblem(replay, 401);
    else expect(replay.status, replay.text).toBe(each.status);
    expect(await effects()).toEqual(done);
  });
});

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
    await station.sql("update newsletter_subscriptions set status = 'unsubscribed' where email = $1", [
      "reader@example.com",
    ]);
    const [ended] = await station.sql<{ id: string }>("select id from newsletter_subscriptions where email = $1", [
      "reader@example.com",
    ]);
    const before = (await station.outbox()).length;
    const body = { email: "reader@example.com", subscription_id: ended?.id };
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
    const before = await effects();
    await station.faults({ rate5xx: 1 }, "turnstile");
    const body = { name: "Ada", email: "ada@example.com", category: "general", message: "Hello" };
    const answer = await station.call("/email/contact", { body, headers: sign.captcha() });
    await station.faults({}, "turnstile");
    expectProblem(answer, 503);
    expect(await effects()).toEqual(before);
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
    const before = (await received()).pulse ?? 0;
    const answer = await station.callInternal("/pulse", { body, headers: { "content-type": "application/json" } });
    expect(answer.status, answer.text.slice(0, 300)).toBe(207);
    const { queued, refused } = answer.json<{ queued: number; refused: { index: number }[] }>();
    expect(queued).toBe(4_698);
    expect(refused.map(({ index }) => index)).toEqual([7, 4_000]);
    expect(((await received()).pulse ?? 0) - before).toBe(4_698);
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
    const before = await received();
    const second = await station.callInternal("/pulse", { body, headers });
    expect([first.status, second.status]).toEqual([207, 207]);
    expect(second.json()).toEqual(first.json());
    expect(await received()).toEqual(before);
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
    const before = await received();
    for (const [type, change] of [
      ["submission", "INSERT"],
      ["content", "UPDATE"],
      ["changelog", "INSERT"],
    ] as const)
      expect((await direct(type, row(change))).status).toBe(202);
    const after = await received();
    const more = (queue: QueueName) => (after[queue] ?? 0) - (before[queue] ?? 0);
    expect([more("discord-submissions"), more("changelog-notify")]).toEqual([2, 1]);
  });

  test("of an error rings and is posted nowhere", async () => {
    const before = await received();
    expect((await direct("error", row("INSERT"))).status).toBe(202);
    expect(await received()).toEqual(before);
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
