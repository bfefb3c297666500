import type { FlagName } from "./flags.ts";
import type { ProviderName } from "./providers.ts";
import type { SecretName } from "./secrets.ts";
import type { WorkflowName } from "./workflows.ts";

/** A queue with its dead-letter queue and the worker that empties it. */
export interface QueueRecord {
  fifo: boolean;
  /** Messages a worker gets at once. FIFO queues allow at most 10. */
  batchSize: number;
  /** How long to wait for a full batch; needed above ten messages, not allowed on FIFO. */
  batchWindowSeconds?: number;
  /** Batches in work at the same time: what keeps an ordinary backlog in the queue instead of in failing functions. At least 2. */
  maximumConcurrency: number;
  /** The worker's own limit; the visibility timeout is six times this, as AWS advises. */
  workerTimeoutSeconds: number;
  workerMemoryMb: number;
  /** Attempts of a failing message before it is dead-lettered. */
  maxReceiveCount: number;
  /**
   * What a wait of more than 15 minutes does, such as for a quota: it holds the queue, or, where other messages need
   * not wait with it, only the message comes back every 15 minutes. By default it holds.
   */
  onLongPause?: "hold" | "circulate";
  /** First pause after a failed attempt; it doubles with each further one, up to 15 minutes. */
  backoffBaseSeconds: number;
  uses: {
    providers: readonly ProviderName[];
    /** Queues the worker sends to; `QueueName` below checks the names. */
    queues?: readonly string[];
    /** Express workflows the worker runs and waits for. */
    workflows?: readonly WorkflowName[];
    /** Secrets beyond the providers' own. */
    secrets?: readonly SecretName[];
    flags?: readonly FlagName[];
    /** Disables and enables what feeds the other queues' workers. */
    feeds?: true;
    /** Standard workflows whose stuck runs the worker stops and starts again. */
    recovers?: readonly WorkflowName[];
  };
  /** What rings before a backlog is noticed otherwise; `usualWatermarks` unless the queue's work is of another kind. */
  watermarks?: Watermarks;
  /** Who is harmed when messages die here: the alarm's text. */
  errorImpact: string;
}

/** How full a queue may be. A queue on hold fills by intention and does not ring. */
export interface Watermarks {
  /** Age of the oldest message that nobody has carried out. */
  ageMinutes: number;
  /** Messages that wait for a worker. */
  messages: number;
}

/**
 * Age: a message whose every attempt fails is dead within the hour, so what is older waits for a worker that does not
 * keep up. Messages: as many as a provider that takes two calls a second gets through in 40 minutes.
 */
export const usualWatermarks: Watermarks = { ageMinutes: 60, messages: 5_000 };

export const queues = {
  subscription: {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 4,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 512,
    maxReceiveCount: 5,
    backoffBaseSeconds: 5,
    // Who unsubscribes must not wait until mails can be sent again.
    onLongPause: "circulate",
    uses: { providers: ["supabase", "resend"], queues: ["segment-sync", "revalidation"], secrets: ["unsubscribeKey"] },
    errorImpact: "People who subscribed get no welcome mail, or people who unsubscribed still get mail.",
  },
  email: {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 4,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 512,
    maxReceiveCount: 5,
    backoffBaseSeconds: 5,
    uses: { providers: ["supabase", "resend"] },
    errorImpact: "People who signed in, wrote to us or posted a job do not get the mail they wait for.",
  },
  "webhook-events": {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 4,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 8,
    backoffBaseSeconds: 10,
    // Payments need no mail.
    onLongPause: "circulate",
    uses: { providers: ["supabase", "resend"], queues: ["segment-sync", "changelog-process"] },
    errorImpact: "Payments, bounces, complaints or deployments that vendors told us of have no effect.",
  },
  "outbox-sweep": {
    fifo: false,
    batchSize: 1,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 3,
    backoffBaseSeconds: 5,
    uses: {
      providers: ["supabase"],
      queues: ["discord-jobs", "discord-submissions", "revalidation", "embedding-generation", "package-generation"],
    },
    // One message a minute: a few that wait mean that the sweep does not run.
    watermarks: { ageMinutes: 15, messages: 20 },
    errorImpact: "Changes in the database have no effect outside it until a later sweep finds them.",
  },
  "recovery-sweep": {
    fifo: false,
    batchSize: 1,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 3,
    backoffBaseSeconds: 5,
    uses: { providers: [], feeds: true, recovers: ["digest", "sequence"] },
    watermarks: { ageMinutes: 15, messages: 20 },
    errorImpact: "Queues on hold stay closed after the hold, and runs that hang are not started again.",
  },
  revalidation: {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 8,
    backoffBaseSeconds: 5,
    uses: { providers: ["site"] },
    errorImpact: "The site shows pages as they were before a change.",
  },
  pulse: {
    fifo: false,
    batchSize: 100,
    batchWindowSeconds: 1,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 5,
    backoffBaseSeconds: 5,
    uses: { providers: ["supabase"], queues: ["segment-sync"], flags: ["pulse-one-by-one"] },
    // A hundred to a call of the database, and a busy site makes thousands in a minute.
    watermarks: { ageMinutes: 60, messages: 50_000 },
    errorImpact: "Views, copies and searches are missing from the statistics, and engagement scores stand still.",
  },
  "segment-sync": {
    fifo: true,
    batchSize: 10,
    maximumConcurrency: 4,
    workerTimeoutSeconds: 90,
    workerMemoryMb: 256,
    maxReceiveCount: 5,
    backoffBaseSeconds: 5,
    uses: { providers: [], workflows: ["segment-sync"] },
    errorImpact: "Contacts stay in the wrong engagement segment at Resend.",
  },
  "segment-recovery": {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 30,
    workerMemoryMb: 256,
    maxReceiveCount: 5,
    backoffBaseSeconds: 30,
    uses: { providers: [], queues: ["segment-sync"] },
    errorImpact: "Segment changes that Resend refused while it was down are not made up for.",
  },
  "changelog-process": {
    fifo: false,
    batchSize: 1,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 90,
    workerMemoryMb: 256,
    maxReceiveCount: 8,
    backoffBaseSeconds: 15,
    uses: { providers: ["supabase", "github"], queues: ["changelog-notify"] },
    errorImpact: "A release is missing from the changelog.",
  },
  "changelog-notify": {
    fifo: false,
    batchSize: 1,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 8,
    backoffBaseSeconds: 15,
    uses: { providers: ["supabase", "discord"], queues: ["revalidation"] },
    errorImpact: "A release is in the changelog, and nobody is told.",
  },
  "discord-jobs": {
    fifo: true,
    batchSize: 5,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 90,
    workerMemoryMb: 256,
    // A FIFO queue cannot put off one message: a pause that Discord asks for counts as an attempt.
    maxReceiveCount: 12,
    backoffBaseSeconds: 15,
    uses: { providers: ["supabase", "discord"] },
    // Twelve attempts take an hour and a half.
    watermarks: { ageMinutes: 120, messages: 5_000 },
    errorImpact: "Jobs are missing on Discord, or stand there as they were before.",
  },
  "discord-submissions": {
    fifo: false,
    batchSize: 5,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 90,
    workerMemoryMb: 256,
    // A merged entry comes with the site's next build, which may take half an hour.
    maxReceiveCount: 9,
    backoffBaseSeconds: 30,
    uses: { providers: ["supabase", "discord"], queues: ["revalidation", "image-generation"] },
    // Nine attempts take an hour.
    watermarks: { ageMinutes: 120, messages: 5_000 },
    errorImpact: "Contributions are not announced to the team or, once merged, to anybody.",
  },
  "embedding-generation": {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 6,
    backoffBaseSeconds: 10,
    uses: { providers: ["supabase", "embeddings"] },
    errorImpact: "Entries are not found by what they mean, or by what they meant before.",
  },
  "image-generation": {
    fifo: false,
    batchSize: 2,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 256,
    maxReceiveCount: 6,
    backoffBaseSeconds: 15,
    uses: { providers: ["images"] },
    errorImpact: "Entries or companies have no picture where they are linked.",
  },
  "package-generation": {
    fifo: false,
    batchSize: 1,
    maximumConcurrency: 2,
    workerTimeoutSeconds: 90,
    workerMemoryMb: 256,
    maxReceiveCount: 6,
    backoffBaseSeconds: 30,
    uses: { providers: ["packages"] },
    errorImpact: "Skills and MCP servers cannot be downloaded, or only as they were before.",
  },
} as const satisfies Record<string, QueueRecord>;

/** A queue that names another in `uses` must name one that exists, else this does not compile. */
type Consistent<Q extends Record<string, { uses: { providers: unknown; queues?: readonly (keyof Q)[] } }>> = Q;
export type QueueName = keyof Consistent<typeof queues>;
