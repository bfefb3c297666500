import type { FlagName } from "./flags.ts";
import type { ProviderName } from "./providers.ts";
import type { SecretName } from "./secrets.ts";

/** A state machine, its definition in `statemachines/<name>.asl.json` and the function that runs its tasks. */
export interface WorkflowRecord {
  type: "STANDARD" | "EXPRESS";
  /** Task names; each is one file in `lambdas/tasks/<workflow>/` and one `task` value in the definition. */
  tasks: readonly string[];
  /** The task function's limit; each Task state has a shorter or equal one of its own. */
  taskTimeoutSeconds: number;
  taskMemoryMb: number;
  /**
   * Standard only: a run that has been at work for longer, waiting states aside, is stopped and started again. Below
   * the machine's own `TimeoutSeconds`, which ends a run for good.
   */
  deadlineMinutes?: number;
  uses: {
    providers: readonly ProviderName[];
    queues?: readonly string[];
    secrets?: readonly SecretName[];
    flags?: readonly FlagName[];
  };
  /** Who is harmed when a run fails: the alarm's text. */
  errorImpact: string;
}

export const workflows = {
  digest: {
    type: "STANDARD",
    tasks: [
      "claim-week",
      "fetch-digest",
      "rehearse-digest",
      "use-last-good",
      "deliver-broadcast",
      "deliver-batches",
      "record-digest",
      "report-heartbeat",
      "release-week",
    ],
    taskTimeoutSeconds: 900,
    taskMemoryMb: 1024,
    // A million recipients are 10,000 calls: 84 minutes at Resend's lowest limit, two calls a second. Nearly three times that.
    deadlineMinutes: 240,
    uses: {
      providers: ["supabase", "resend", "heartbeat"],
      secrets: ["unsubscribeKey"],
      flags: ["digest-one-at-a-time", "digest-single-mails"],
    },
    errorImpact: "Subscribers do not get this week's digest.",
  },
  sequence: {
    type: "STANDARD",
    tasks: ["suppress-due", "send-due", "report-heartbeat"],
    taskTimeoutSeconds: 900,
    taskMemoryMb: 512,
    // As for the digest, but below the six hours after which the next run comes anyway.
    deadlineMinutes: 180,
    uses: {
      providers: ["supabase", "resend", "heartbeat"],
      secrets: ["unsubscribeKey"],
      flags: ["sequence-single-mails"],
    },
    errorImpact: "New subscribers do not get their onboarding mails.",
  },
  "segment-sync": {
    type: "EXPRESS",
    tasks: ["read-contact", "apply-change", "store-evidence", "recover-later"],
    taskTimeoutSeconds: 60,
    taskMemoryMb: 256,
    uses: { providers: ["supabase", "resend"], queues: ["segment-recovery"] },
    errorImpact: "Contacts stay in the wrong engagement segment at Resend.",
  },
} as const satisfies Record<string, WorkflowRecord>;

export type WorkflowName = keyof typeof workflows;
