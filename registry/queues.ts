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
    uses: { providers: ["supabase", "resend"], queues: ["segment-sync"], secrets: ["unsubscribeKey"] },
    errorImpact: "People who subscribed get no welcome mail, or people who unsubscribed still get mail.",
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
    uses: { providers: ["supabase"], queues: ["segment-sync"] },
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
} as const satisfies Record<string, QueueRecord>;

/** A queue that names another in `uses` must name one that exists, else this does not compile. */
type Consistent<Q extends Record<string, { uses: { providers: unknown; queues?: readonly (keyof Q)[] } }>> = Q;
export type QueueName = keyof Consistent<typeof queues>;
