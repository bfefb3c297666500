import { randomUUID } from "node:crypto";
import type { QueueName } from "../../registry/queues.ts";
import type { RouteName } from "../../registry/routes.ts";
import type { signingFor } from "./signing.ts";

export type Headers = Record<string, string>;
export type Signer = ReturnType<typeof signingFor>;

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
export interface Row {
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

export const userId = randomUUID();
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
export const anyone: Scheme = { genuine: () => ({}), wrong: {} };
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
export const row = (type: string) => ({ type, table: "any", schema: "public", record: { id: randomUUID() } });
export const hookBody = () => ({
  user: { id: userId, email: "member@example.com" },
  email_data: {
    email_action_type: "recovery",
    token: "123456",
    token_hash: "hash",
    redirect_to: "https://directory.example.com",
    site_url: "https://directory.example.com",
  },
});
export const resendEvent = () => ({
  type: "email.delivered",
  created_at: new Date().toISOString(),
  data: { email_id: randomUUID(), to: ["reader@example.com"], created_at: new Date().toISOString() },
});
export const deployment = () => ({
  id: `evt_${randomUUID()}`,
  type: "deployment.created",
  createdAt: Date.now(),
  payload: {},
});
export const notification = { title: "Something new", message: "There is something new to see." };

export const rows: Row[] = [
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
