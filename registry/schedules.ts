import type { WorkflowName } from "./workflows.ts";

/** A recurring start of a workflow. The workflow's input is `{scheduledTime, ...input}`, so a run never reads a clock to decide. */
export interface ScheduleRecord {
  workflow: WorkflowName;
  /** EventBridge Scheduler expression, in the config's digest time zone. */
  expression: string;
  input?: Readonly<Record<string, boolean | string>>;
}

export const schedules = {
  "weekly-digest": { workflow: "digest", expression: "cron(0 9 ? * MON *)" },
  // Keeps the week's last good content outside Postgres, for a Monday on which the database fails.
  "digest-rehearsal": { workflow: "digest", expression: "cron(0 6 * * ? *)", input: { rehearsal: true } },
  "onboarding-sequence": { workflow: "sequence", expression: "cron(0 0/6 * * ? *)" },
} as const satisfies Record<string, ScheduleRecord>;

export type ScheduleName = keyof typeof schedules;
