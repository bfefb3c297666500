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
  };
  /** Who is harmed when messages die here: the alarm's text. */
  errorImpact: string;
}

export const queues = {
  subscription: {
    fifo: false,
    batchSize: 10,
    maximumConcurrency: 4,
    workerTimeoutSeconds: 60,
    workerMemoryMb: 512,
    maxReceiveCount: 5,
    backoffBaseSeconds: 5,
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
    errorImpact: "Changes in the database have no effect outside it until a later sweep finds them.",
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
