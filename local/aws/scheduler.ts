import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { cfnInteger } from "../assembly/cfn-values.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";
import { type NextOccurrence, parseScheduleExpression } from "./scheduler-expression.ts";

const scheduleProperties = z
  .strictObject({
    Name: z.string().optional(),
    GroupName: z.string().default("default"),
    ScheduleExpression: z.string(),
    ScheduleExpressionTimezone: z.string().default("UTC"),
    StartDate: z.iso.datetime({ offset: true }).optional(),
    EndDate: z.iso.datetime({ offset: true }).optional(),
    State: z.enum(["ENABLED", "DISABLED"]).default("ENABLED"),
    FlexibleTimeWindow: z.strictObject({
      Mode: z.enum(["OFF", "FLEXIBLE"]),
      MaximumWindowInMinutes: cfnInteger.optional(),
    }),
    Target: z.strictObject({
      Arn: z.string(),
      RoleArn: z.string(),
      Input: z.string().optional(),
      // AWS's defaults: 24 hours and 185 attempts.
      RetryPolicy: z
        .strictObject({
          MaximumEventAgeInSeconds: cfnInteger.default(86_400),
          MaximumRetryAttempts: cfnInteger.default(185),
        })
        .default({ MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 }),
      DeadLetterConfig: z.strictObject({ Arn: z.string() }).optional(),
      // CDK writes it empty for a queue that is not FIFO.
      SqsParameters: z.strictObject({ MessageGroupId: z.string().optional() }).optional(),
    }),
  })
  .superRefine((schedule, context) => {
    try {
      parseScheduleExpression(schedule.ScheduleExpression, schedule.ScheduleExpressionTimezone, 0);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : String(error));
    }
  });

export type ScheduleProperties = z.infer<typeof scheduleProperties>;

export const scheduleKind = {
  type: "AWS::Scheduler::Schedule",
  properties: scheduleProperties,
  ignoredProperties: {
    Description: "nothing here reads it",
    KmsKeyArn: "inputs stay in this process's memory, unencrypted",
  },
} satisfies ResourceKind<ScheduleProperties>;

const scheduleGroupProperties = z.strictObject({ Name: z.string().optional() });

export type ScheduleGroupProperties = z.infer<typeof scheduleGroupProperties>;

export const scheduleGroupKind = {
  type: "AWS::Scheduler::ScheduleGroup",
  properties: scheduleGroupProperties,
  ignoredProperties: { Tags: "nothing here reads them" },
} satisfies ResourceKind<ScheduleGroupProperties>;

export interface Schedule {
  name: string;
  arn: string;
  properties: ScheduleProperties;
}

export interface Occurrence {
  name: string;
  /** The scheduled time, in epoch milliseconds. */
  atMs: number;
}

export type Delivery = { delivered: true; attempts: number } | { delivered: false; attempts: number; error: unknown };

export interface Scheduler {
  /** Fires each occurrence as the clock passes it. */
  start: () => void;
  /** Fires nothing more and gives up the retries that are waiting. */
  stop: () => void;
  /** Says at once that the clock was set to this instant, up to which nothing fires by itself any more. */
  skipTo: (ms: number) => void;
  /** Enabled schedules, by name. */
  enabled: () => string[];
  /** The first occurrence after this instant, of these schedules or of any enabled one. */
  nextOccurrence: (afterMs: number, names?: readonly string[]) => Occurrence | undefined;
  /** All occurrences of enabled schedules after `fromMs` up to and including `toMs`, in order. */
  occurrencesBetween: (fromMs: number, toMs: number) => Occurrence[];
  /** Delivers one schedule now, enabled or not, as if it were `atMs`; resolves after the last attempt. */
  fire: (name: string, atMs: number) => Promise<Delivery>;
}

export interface SchedulerOptions {
  schedules: Schedule[];
  now: () => number;
  /** Hands the input to the target; a rejection is tried again by the schedule's retry policy. */
  deliver: (targetArn: string, input: string, schedule: Schedule) => Promise<void>;
  /** Told of what was given up, after its input went to the dead-letter queue where there is one. */
  onUndelivered?: (schedule: Schedule, error: unknown) => void;
  /** Waits between attempts; tests pass one that does not. */
  waitMs?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

// A clock that ran ahead of real time by more than this since the last look was set, not late.
const clockJumpMs = 50;

// How late a jump of the clock may be noticed.
const longestSleepMs = 1000;

/**
 * Runs the template's schedules against `now`. A jump of the clock fires nothing: whoever moves it fires what it skips,
 * and calls `skipTo`, without which the jump is only seen a second later and what is due in between is lost.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const createdAtMs = options.now();
  const { deliver, now } = options;
  const waitMs = options.waitMs ?? ((ms, signal) => delay(ms, undefined, { signal, ref: false }));
  const byName = new Map<string, { schedule: Schedule; next: NextOccurrence }>();
  for (const schedule of options.schedules) {
    if (byName.has(schedule.name)) throw new TypeError(`two schedules are called ${schedule.name}`);
    byName.set(schedule.name, { schedule, next: occurrencesOf(schedule.properties, createdAtMs) });
  }
  let running: AbortController | undefined;
  let timer: NodeJS.Timeout | undefined;
  let seenMs = createdAtMs;
  let seenRealMs = 0;

  const enabled = (): string[] =>
    [...byName].filter(([, { schedule }]) => schedule.properties.State !== "DISABLED").map(([name]) => name);

  const nextOccurrence = (afterMs: number, names: readonly string[] = enabled()): Occurrence | undefined => {
    let first: Occurrence | undefined;
    for (const [name, { next }] of byName) {
      if (!names.includes(name)) continue;
      const atMs = next(afterMs);
      if (atMs !== undefined && (first === undefined || atMs < first.atMs)) first = { name, atMs };
    }
    return first;
  };

  const occurrencesBetween = (fromMs: number, toMs: number): Occurrence[] => {
    const found: Occurrence[] = [];
    for (const [name, { schedule, next }] of byName) {
      if (schedule.properties.State === "DISABLED") continue;
      for (let atMs = next(fromMs); atMs !== undefined && atMs <= toMs; atMs = next(atMs)) found.push({ name, atMs });
    }
    return found.sort((a, b) => a.atMs - b.atMs || a.name.localeCompare(b.name));
  };

  const giveUp = async (schedule: Schedule, input: string, attempts: number, error: unknown): Promise<Delivery> => {
    const deadLetterArn = schedule.properties.Target.DeadLetterConfig?.Arn;
    if (deadLetterArn !== undefined) {
      await deliver(deadLetterArn, input, schedule).catch((failure: unknown) =>
        options.onUndelivered?.(schedule, failure),
      );
    }
    options.onUndelivered?.(schedule, error);
    return { delivered: false, attempts, error };
  };

  const fire = async (name: string, atMs: number): Promise<Delivery> => {
    const schedule = byName.get(name)?.schedule;
    if (schedule === undefined) {
      throw new TypeError(`there is no schedule ${name}; there are ${[...byName.keys()].join(", ") || "none"}`);
    }
    const { Arn, RetryPolicy } = schedule.properties.Target;
    const executionId = randomUUID();
    const expiresAtMs = now() + RetryPolicy.MaximumEventAgeInSeconds * 1000;
    const signal = running?.signal ?? new AbortController().signal;
    for (let attempt = 1; ; attempt++) {
      const input = inputOf(schedule, { atMs, executionId, attempt });
      try {
        await deliver(Arn, input, schedule);
        return { delivered: true, attempts: attempt };
      } catch (error) {
        if (attempt > RetryPolicy.MaximumRetryAttempts || now() >= expiresAtMs) {
          return await giveUp(schedule, input, attempt, error);
        }
        await waitMs(Math.min(1000 * 2 ** (attempt - 1), 60_000), signal).catch(() => undefined);
        if (signal.aborted) return { delivered: false, attempts: attempt, error };
      }
    }
  };

  const look = (): void => {
    const nowMs = now();
    const realMs = performance.now();
    const jumped = Math.abs(nowMs - seenMs - (realMs - seenRealMs)) > clockJumpMs;
    const due = jumped ? [] : occurrencesBetween(seenMs, nowMs);
    for (const { name, atMs } of due) {
      fire(name, atMs).catch((error: unknown) => {
        const schedule = byName.get(name)?.schedule;
        if (schedule !== undefined) options.onUndelivered?.(schedule, error);
      });
    }
    lookAgainFrom(nowMs);
  };

  const lookAgainFrom = (ms: number): void => {
    seenMs = ms;
    seenRealMs = performance.now();
    const dueMs = nextOccurrence(ms)?.atMs ?? Number.POSITIVE_INFINITY;
    clearTimeout(timer);
    timer = setTimeout(look, Math.max(0, Math.min(dueMs - now(), longestSleepMs)));
    timer.unref();
  };

  return {
    start: () => {
      if (running !== undefined) return;
      running = new AbortController();
      lookAgainFrom(now());
    },
    stop: () => {
      running?.abort();
      running = undefined;
      clearTimeout(timer);
    },
    skipTo: (ms) => {
      if (running !== undefined) lookAgainFrom(ms);
    },
    enabled,
    nextOccurrence,
    occurrencesBetween,
    fire,
  };
}

function occurrencesOf(properties: ScheduleProperties, createdAtMs: number): NextOccurrence {
  const startMs = properties.StartDate === undefined ? undefined : Date.parse(properties.StartDate);
  const endMs = properties.EndDate === undefined ? Number.POSITIVE_INFINITY : Date.parse(properties.EndDate);
  const next = parseScheduleExpression(
    properties.ScheduleExpression,
    properties.ScheduleExpressionTimezone,
    startMs ?? createdAtMs,
  );
  return (afterMs) => {
    const atMs = next(startMs === undefined ? afterMs : Math.max(afterMs, startMs - 1));
    return atMs !== undefined && atMs <= endMs ? atMs : undefined;
  };
}

/** The target's input with AWS's context attributes filled in, or the notification AWS sends when there is none. */
function inputOf(schedule: Schedule, delivery: { atMs: number; executionId: string; attempt: number }): string {
  const scheduledTime = new Date(delivery.atMs).toISOString().replace(/\.\d{3}Z$/, "Z");
  const { Input } = schedule.properties.Target;
  if (Input === undefined) {
    return JSON.stringify({
      version: "0",
      id: delivery.executionId,
      "detail-type": "Scheduled Event",
      source: "aws.scheduler",
      account: "000000000000",
      time: scheduledTime,
      region: "us-east-1",
      resources: [schedule.arn],
      detail: "{}",
    });
  }
  return Input.replaceAll("<aws.scheduler.scheduled-time>", scheduledTime)
    .replaceAll("<aws.scheduler.schedule-arn>", schedule.arn)
    .replaceAll("<aws.scheduler.execution-id>", delivery.executionId)
    .replaceAll("<aws.scheduler.attempt-number>", String(delivery.attempt));
}
