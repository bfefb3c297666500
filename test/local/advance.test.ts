import { describe, expect, test } from "vitest";
import { advance, untilResting } from "../../local/advance.ts";
import { createScheduler, type Schedule, scheduleKind } from "../../local/aws/scheduler.ts";
import type { Clock } from "../../local/clock.ts";
import type { RunningStack } from "../../local/running-stack.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const start = Date.parse("2025-11-24T08:30:30Z");

const schedule = (name: string, expression: string, more: Record<string, unknown> = {}): Schedule => ({
  name,
  arn: `arn:${name}`,
  properties: scheduleKind.properties.parse({
    ScheduleExpression: expression,
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: { Arn: `target:${name}`, RoleArn: "role", Input: '{"at":"<aws.scheduler.scheduled-time>"}' },
    ...more,
  }),
});

/** A station whose clock stands and whose only work are messages that wait until `dueMs`. */
function stationOf(schedules: Schedule[], dueMs: number[] = []) {
  let nowMs = start;
  const clock: Pick<Clock, "now" | "advance"> = {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
  const deliveries: string[] = [];
  const scheduler = createScheduler({
    schedules,
    now: clock.now,
    deliver: async (arn, input) => {
      deliveries.push(`${arn.slice(7)} ${JSON.parse(input).at} at ${new Date(nowMs).toISOString()}`);
    },
  });
  const stack = {
    scheduler,
    resting: async () => ({ dueMs: dueMs.find((due) => due > nowMs) }),
    pending: async () => ({}),
  } as unknown as RunningStack;
  return { deliveries, advance: (ms: number) => advance({ clock: clock as Clock, stack }, ms) };
}

const everyMinute = schedule("sweep", "cron(* * * * ? *)");

test("a sweep is fired once at each stop and at the end, as of its latest time, and is no stop itself", async () => {
  const station = stationOf([everyMinute, schedule("daily", "cron(0 9 * * ? *)")]);
  expect(await station.advance(24 * hourMs)).toEqual(["daily 2025-11-24T09:00:00.000Z"]);
  expect(station.deliveries).toEqual([
    "sweep 2025-11-24T09:00:00Z at 2025-11-24T09:00:00.000Z",
    "daily 2025-11-24T09:00:00Z at 2025-11-24T09:00:00.000Z",
    "sweep 2025-11-25T08:30:00Z at 2025-11-25T08:30:30.000Z",
  ]);
});

test("a sweep is also fired where a message was waited for, since that may have left work", async () => {
  const station = stationOf([everyMinute], [start + 10 * minuteMs]);
  await station.advance(20 * minuteMs);
  expect(station.deliveries).toEqual([
    "sweep 2025-11-24T08:40:00Z at 2025-11-24T08:40:30.000Z",
    "sweep 2025-11-24T08:50:00Z at 2025-11-24T08:50:30.000Z",
  ]);
});

test("a sweep that did not come round is not fired", async () => {
  const station = stationOf([schedule("sweep", "cron(0/30 * * * ? *)")]);
  await station.advance(minuteMs);
  expect(station.deliveries).toEqual([]);
});

test("a schedule of an hour or more is fired at each of its times", async () => {
  const station = stationOf([schedule("hourly", "cron(0 * * * ? *)")]);
  expect(await station.advance(3 * hourMs)).toHaveLength(3);
});

test("a disabled sweep is not fired", async () => {
  const station = stationOf([schedule("sweep", "cron(* * * * ? *)", { State: "DISABLED" })]);
  await station.advance(hourMs);
  expect(station.deliveries).toEqual([]);
});

describe("a stop of an advance", () => {
  const running = (pending: () => number) => ({
    pending: async () => ({ "messages on prod-flux-email": pending() }),
    resting: async () => (pending() === 0 ? { dueMs: undefined } : undefined),
  });

  test("takes as long as the work becomes less", async () => {
    const startedMs = performance.now();
    const left = () => Math.max(0, 4 - Math.floor((performance.now() - startedMs) / 50));
    await untilResting(running(left), 80);
    expect(performance.now() - startedMs).toBeGreaterThan(190);
  });

  test("ends with what is left when nothing gets done", async () => {
    const waiting = untilResting(
      running(() => 7),
      40,
    );
    await expect(waiting).rejects.toThrow(/did not become less: 7 messages on prod-flux-email/);
  });
});
