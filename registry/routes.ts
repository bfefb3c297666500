import type { QueueName } from "./queues.ts";
import type { WorkflowName } from "./workflows.ts";

/** One function per trust zone: what an intruder in one can reach, the other's callers cannot. */
export const zones = {
  public: { timeoutSeconds: 15, memoryMb: 512 },
  internal: { timeoutSeconds: 15, memoryMb: 256 },
} as const;

/** Requests per minute and client; each bucket counts for itself. */
export const buckets = { public: 100, email: 20, "queue-worker": 60 } as const;

type Authentication =
  /** X-Internal-Secret, two values valid during rotation. */
  | { scheme: "internal-secret" }
  /** The link itself is signed: a mail client has nothing else to show. */
  | { scheme: "signed-link"; reason: string }
  /** Anyone; the reason is for the reader. */
  | { scheme: "public"; reason: string };

/** A path of the HTTP API, its methods, who may call it and what it may do. A record without `auth` does not compile. */
export interface RouteRecord {
  path: string;
  methods: readonly ("GET" | "POST")[];
  zone: keyof typeof zones;
  bucket: keyof typeof buckets;
  auth: Authentication;
  maxBodyBytes: number;
  summary: string;
  queue?: QueueName;
  workflow?: WorkflowName;
  providers?: readonly "supabase"[];
  /** Reads the depth of every queue. */
  inspectsQueues?: boolean;
}

const kib = 1024;

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
    queue: "subscription",
  },
  "email-unsubscribe": {
    path: "/email/unsubscribe",
    methods: ["GET", "POST"],
    zone: "public",
    bucket: "public",
    auth: { scheme: "signed-link", reason: "mail clients and mailbox providers (RFC 8058) send nothing but the link" },
    maxBodyBytes: 10 * kib,
    summary: "Page with a confirm button on GET; one-click unsubscribe on POST",
    queue: "subscription",
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
  pulse: {
    path: "/pulse",
    methods: ["POST"],
    zone: "internal",
    bucket: "queue-worker",
    auth: { scheme: "internal-secret" },
    maxBodyBytes: 5 * kib * kib,
    summary: "Enqueue one interaction or an array of them; without a body: the queue's state",
    queue: "pulse",
    inspectsQueues: true,
  },
} as const satisfies Record<string, RouteRecord>;

export type RouteName = keyof typeof routes;
