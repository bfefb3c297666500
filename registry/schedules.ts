import type { QueueName } from "./queues.ts";
import type { WorkflowName } from "./workflows.ts";

/**
 * A recurring start of a workflow, or a recurring message without payload for a queue. The workflow's input is
 * `{scheduledTime, ...input}`, so a run never reads a clock to decide.
 */
export type ScheduleRecord = {
  /** EventBridge Scheduler expression, in the config's digest time zone. */
  expression: string;
} & (
  | { workflow: WorkflowName; input?: Readonly<Record<string, boolean | string>> }
  | { queue: Extract<QueueName, "outbox-sweep" | "recovery-sweep"> }
);

export const schedules = {
  "weekly-digest": { workflow: "digest", expression: "cron(0 9 ? * MON *)" },
  // Keeps the week's last good content outside Postgres, for a Monday on which the database fails.
  "digest-rehearsal": { workflow: "digest", expression: "cron(0 6 * * ? *)", input: { rehearsal: true } },
  "onboarding-sequence": { workflow: "sequence", expression: "cron(0 0/6 * * ? *)" },
  // What a lost poke of the database would have brought at once comes within the minute.
  "outbox-sweep": { queue: "outbox-sweep", expression: "rate(1 minute)" },
  // How late a hold takes effect and ends, and how late a run that hangs is found.
  "recovery-sweep": { queue: "recovery-sweep", expression: "rate(1 minute)" },
} as const satisfies Record<string, ScheduleRecord>;

export type ScheduleName = keyof typeof schedules;
