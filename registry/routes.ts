import type { QueueName } from "./queues.ts";
import type { WebhookVendor } from "./webhook-vendors.ts";
import type { WorkflowName } from "./workflows.ts";

/** One function per trust zone: what an intruder in one can reach, the other's callers cannot. */
export const zones = {
  public: { timeoutSeconds: 15, memoryMb: 512 },
  user: { timeoutSeconds: 15, memoryMb: 256 },
  // Ten thousand items of one request are a thousand calls of SQS.
  internal: { timeoutSeconds: 28, memoryMb: 512 },
  webhooks: { timeoutSeconds: 15, memoryMb: 256 },
} as const;

/** Requests per minute and client; each bucket counts for itself. A vendor is one client for all that it has to tell. */
export const buckets = { public: 100, email: 20, "queue-worker": 60, webhook: 1_000 } as const;

type Authentication =
  /** X-Internal-Secret, two values valid during rotation. */
  | { scheme: "internal-secret" }
  /** A signed-in user's access token of Supabase Auth. */
  | { scheme: "user-jwt" }
  | { scheme: "internal-secret-and-user" }
  /** One of these vendors signed the body. */
  | { scheme: "vendor-signature"; vendors: readonly WebhookVendor[] }
  /** Supabase's "send email" hook signed the body; without a signature, one of our servers. */
  | { scheme: "auth-hook-or-internal-secret" }
  /** Our own trigger function in the database signed time and body. */
  | { scheme: "database-hmac" }
  /** A visitor who solved the challenge (X-Captcha-Token), or a server of ours that vouches for one. */
  | { scheme: "captcha"; reason: string }
  /** The link itself is signed: a mail client has nothing else to show. */
  | { scheme: "signed-link"; reason: string }
  /** Anyone; the reason is for the reader. */
  | { scheme: "public"; reason: string };

/** A path of the HTTP API, its methods, who may call it and what it may do. A record without `auth` does not compile. */
export interface RouteRecord {
  /** `$default` is whatever matches no other path. */
  path: string;
  /** Longer paths that begin with `path` mean it too: the original looked no further. */
  matchesLongerPaths?: boolean;
  methods: readonly ("GET" | "HEAD" | "POST")[];
  zone: keyof typeof zones;
  bucket: keyof typeof buckets;
  auth: Authentication;
  maxBodyBytes: number;
  summary: string;
  /** Queues that it sends to. */
  queues?: readonly QueueName[];
  workflow?: WorkflowName;
  providers?: readonly ("supabase" | "turnstile")[];
  /** Reads the depth of every queue. */
  inspectsQueues?: boolean;
}

const kib = 1024;
/** A webhook becomes one message, and SQS takes 1 MiB with the envelope. */
const webhookBytes = 900 * kib;
/**
 * An array of items. It reaches the function as text in JSON, where each quote and line break takes a byte more, and
 * Lambda takes 6 MiB in all: a quarter is left for that.
 */
const itemsBytes = 5_000_000;

/** What the routes that fill a queue have in common. */
const fillsQueue = {
  methods: ["POST"],
  zone: "internal",
  bucket: "queue-worker",
  auth: { scheme: "internal-secret" },
  maxBodyBytes: itemsBytes,
  inspectsQueues: true,
} as const;

export const routes = {
  "email-subscribe": {
    path: "/email/subscribe",
    methods: ["POST"],
    zone: "public",
    bucket: "email",
    auth: {
      scheme: "public",
      reason: "a visitor's browser or the site's server calls it for someone without an account",
    },
    maxBodyBytes: 100 * kib,
    summary: "Subscribe an address to the newsletter",
    queues: ["subscription"],
  },
  "email-unsubscribe": {
    path: "/email/unsubscribe",
    methods: ["GET", "POST"],
    zone: "public",
    bucket: "public",
    auth: { scheme: "signed-link", reason: "mail clients and mailbox providers (RFC 8058) send nothing but the link" },
    maxBodyBytes: 10 * kib,
    summary: "Page with a confirm button on GET; one-click unsubscribe on POST",
    queues: ["subscription"],
  },
  "email-count": {
    path: "/email/count",
    methods: ["GET", "POST"],
    zone: "public",
    bucket: "public",
    auth: { scheme: "public", reason: "the site shows the number to everyone; it is cached for five minutes" },
    maxBodyBytes: 10 * kib,
    summary: "Number of active subscribers",
    providers: ["supabase"],
  },
  health: {
    path: "/health",
    methods: ["GET"],
    zone: "public",
    bucket: "public",
    auth: { scheme: "public", reason: "uptime monitors have no credentials; it tells queue names and numbers only" },
    maxBodyBytes: 10 * kib,
    summary: "State of every queue",
    inspectsQueues: true,
  },
  "email-digest": {
    path: "/email/digest",
    methods: ["POST"],
    zone: "internal",
    bucket: "email",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 10 * kib,
    summary: "Start the weekly digest now",
    workflow: "digest",
  },
  "email-sequence": {
    path: "/email/sequence",
    methods: ["POST"],
    zone: "internal",
    bucket: "email",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 10 * kib,
    summary: "Send the onboarding mails that are due now",
    workflow: "sequence",
  },
  "email-welcome": {
    path: "/email/welcome",
    methods: ["POST"],
    zone: "webhooks",
    bucket: "webhook",
    auth: { scheme: "auth-hook-or-internal-secret" },
    maxBodyBytes: webhookBytes,
    summary: "Send the mail that Supabase Auth asks for; with the internal secret, a subscription's welcome",
    queues: ["email", "subscription"],
  },
  "email-transactional": {
    path: "/email/transactional",
    methods: ["POST"],
    zone: "internal",
    bucket: "email",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 100 * kib,
    summary: "Send a mail about something a person did on the site",
    queues: ["email"],
  },
  "email-contact": {
    path: "/email/contact",
    methods: ["POST"],
    zone: "public",
    bucket: "email",
    auth: { scheme: "captcha", reason: "a visitor without an account writes to the team and gets a confirmation" },
    maxBodyBytes: 100 * kib,
    summary: "Store what a visitor wrote, tell the team and confirm it",
    queues: ["email"],
    providers: ["supabase", "turnstile"],
  },
  "email-job-lifecycle": {
    path: "/email/job-lifecycle",
    methods: ["POST"],
    zone: "internal",
    bucket: "email",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 100 * kib,
    summary: "Send the mail that X-Email-Action names about a job posting",
    queues: ["email"],
  },
  "embedding-webhook": {
    path: "/embedding/webhook",
    methods: ["POST"],
    zone: "webhooks",
    bucket: "webhook",
    auth: { scheme: "database-hmac" },
    maxBodyBytes: webhookBytes,
    summary: "The database's poke: sweep its outbox now",
    queues: ["outbox-sweep"],
  },
  "changelog-webhook": {
    path: "/changelog-webhook",
    methods: ["POST"],
    zone: "webhooks",
    bucket: "webhook",
    auth: { scheme: "vendor-signature", vendors: ["vercel"] },
    maxBodyBytes: webhookBytes,
    summary: "A deployment at Vercel, which becomes a changelog entry",
    queues: ["webhook-events"],
  },
  webhooks: {
    path: "$default",
    methods: ["POST"],
    zone: "webhooks",
    bucket: "webhook",
    auth: { scheme: "vendor-signature", vendors: ["resend", "vercel", "polar"] },
    maxBodyBytes: webhookBytes,
    summary: "A webhook of Resend, Vercel or Polar, told apart by its headers",
    queues: ["webhook-events"],
  },
  "active-notifications": {
    path: "/active-notifications",
    matchesLongerPaths: true,
    methods: ["GET", "HEAD"],
    zone: "user",
    bucket: "public",
    auth: { scheme: "user-jwt" },
    maxBodyBytes: 10 * kib,
    summary: "Notifications that the signed-in user has not dismissed",
    providers: ["supabase"],
  },
  "dismiss-notifications": {
    path: "/dismiss",
    matchesLongerPaths: true,
    methods: ["POST"],
    zone: "user",
    bucket: "public",
    auth: { scheme: "user-jwt" },
    maxBodyBytes: 10 * kib,
    summary: "Dismiss notifications for the signed-in user",
    providers: ["supabase"],
  },
  "create-notification": {
    path: "/notifications/create",
    matchesLongerPaths: true,
    methods: ["POST"],
    zone: "internal",
    bucket: "queue-worker",
    auth: { scheme: "internal-secret-and-user" },
    maxBodyBytes: 100 * kib,
    summary: "Show a notification to every visitor",
    queues: ["revalidation"],
    providers: ["supabase"],
  },
  "process-queues": {
    path: "/process-queues",
    methods: ["POST"],
    zone: "internal",
    bucket: "queue-worker",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 10 * kib,
    summary: "How every queue fares; sweeps the database's outbox",
    queues: ["outbox-sweep"],
    inspectsQueues: true,
  },
  pulse: {
    ...fillsQueue,
    path: "/pulse",
    summary: "Enqueue one interaction or an array of them; without a body: the queue's state",
    queues: ["pulse"],
  },
  revalidation: {
    ...fillsQueue,
    path: "/revalidation",
    summary:
      "Enqueue one changed row or an array of them whose pages the site must drop; without a body: the queue's state",
    queues: ["revalidation"],
  },
  "changelog-process": {
    ...fillsQueue,
    path: "/changelog/process",
    summary: "Enqueue stored deployments whose changelog entry is to be written; without a body: the queue's state",
    queues: ["changelog-process"],
  },
  "changelog-notify": {
    ...fillsQueue,
    path: "/changelog/notify",
    summary: "Enqueue changelog entries to announce; without a body: the queue's state",
    queues: ["changelog-notify"],
  },
  "discord-jobs": {
    ...fillsQueue,
    path: "/discord/jobs",
    summary: "Enqueue jobs whose Discord message is out of date; without a body: the queue's state",
    queues: ["discord-jobs"],
  },
  "discord-submissions": {
    ...fillsQueue,
    path: "/discord/submissions",
    summary: "Enqueue submissions to announce on Discord; without a body: the queue's state",
    queues: ["discord-submissions"],
  },
  "discord-direct": {
    path: "/discord/direct",
    methods: ["POST"],
    zone: "internal",
    bucket: "queue-worker",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 100 * kib,
    summary: "Announce the row that X-Discord-Notification-Type tells the kind of",
    queues: ["discord-jobs", "discord-submissions", "changelog-notify"],
  },
  "embedding-process": {
    ...fillsQueue,
    path: "/embedding/process",
    summary: "Enqueue entries whose embedding is out of date; without a body: the queue's state",
    queues: ["embedding-generation"],
  },
  "image-generation-process": {
    ...fillsQueue,
    path: "/image-generation/process",
    summary: "Enqueue pictures to make; without a body: the queue's state",
    queues: ["image-generation"],
  },
} as const satisfies Record<string, RouteRecord>;

export type RouteName = keyof typeof routes;
