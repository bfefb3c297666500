import { afterEach, describe, expect, test } from "vitest";
import { createScheduler, type Scheduler, type SchedulerOptions, scheduleKind } from "../../local/aws/scheduler.ts";
import { parseScheduleExpression } from "../../local/aws/scheduler-expression.ts";

const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16));
const at = (text: string) => Date.parse(text);

function following(expression: string, from: string, count: number, timeZone = "UTC") {
  const next = parseScheduleExpression(expression, timeZone, at(from));
  const found: (string | undefined)[] = [];
  let lastMs = at(from);
  for (let index = 0; index < count; index++) {
    const nextMs = next(lastMs);
    found.push(iso(nextMs));
    if (nextMs === undefined) break;
    lastMs = nextMs;
  }
  return found;
}

describe("cron", () => {
  test.each([
    ["cron(0 9 ? * 2 *)", ["2025-01-06T09:00", "2025-01-13T09:00"]],
    ["cron(0 9 ? * SUN *)", ["2025-01-05T09:00", "2025-01-12T09:00"]],
    ["cron(0 9 ? * L *)", ["2025-01-04T09:00", "2025-01-11T09:00"]],
    ["cron(0 9 ? * 6L *)", ["2025-01-31T09:00", "2025-02-28T09:00"]],
    ["cron(0 9 ? * 3#2 *)", ["2025-01-14T09:00", "2025-02-11T09:00"]],
    ["cron(0 9 ? * MON-FRI *)", ["2025-01-01T09:00", "2025-01-02T09:00", "2025-01-03T09:00", "2025-01-06T09:00"]],
    ["cron(0 9 L * ? *)", ["2025-01-31T09:00", "2025-02-28T09:00"]],
    ["cron(0 9 15W FEB,MAR ? *)", ["2025-02-14T09:00", "2025-03-14T09:00"]],
    ["cron(0/30 8-9 1 * ? *)", ["2025-01-01T08:00", "2025-01-01T08:30", "2025-01-01T09:00", "2025-01-01T09:30"]],
    ["cron(5 0 1 1 ? 2026-2027)", ["2026-01-01T00:05", "2027-01-01T00:05", undefined]],
    ["cron(0 0 30 2 ? *)", [undefined]],
  ])("%s", (expression, expected) => {
    expect(following(expression, "2025-01-01T00:00Z", expected.length)).toEqual(expected);
  });

  test.each([
    "cron(0 9 * * *)",
    "cron(0 9 * * * *)",
    "cron(0 9 ? * ? *)",
    "cron(0 9 1 * 2 *)",
    "cron(? 9 1 * ? *)",
    "cron(0 9 ? * 0 *)",
    "cron(0 9 ? * 8 *)",
    "cron(0 9 ? * 2-8 *)",
    "cron(60 9 ? * 2 *)",
    "cron(/5 9 ? * 2 *)",
    "cron(0 9 32 * ? *)",
    "rate(0 minutes)",
    "rate(1 minutes)",
    "rate(5 minute)",
    "rate(5 weeks)",
    "at(2025-01-01)",
    "0 9 * * 1",
  ])("%s is refused by name", (expression) => {
    expect(() => parseScheduleExpression(expression, "UTC", 0)).toThrow(expression);
  });

  test("a time zone that does not exist is refused by name", () => {
    expect(() => parseScheduleExpression("rate(1 day)", "Mars/Olympus", 0)).toThrow("Mars/Olympus");
  });

  test("the hour that spring skips is skipped, and the hour that autumn repeats counts once", () => {
    const daily = "cron(30 2 * * ? *)";
    expect(following(daily, "2025-03-28T12:00Z", 3, "Europe/Stockholm")).toEqual([
      "2025-03-29T01:30",
      "2025-03-31T00:30",
      "2025-04-01T00:30",
    ]);
    expect(following(daily, "2025-10-24T12:00Z", 3, "Europe/Stockholm")).toEqual([
      "2025-10-25T00:30",
      "2025-10-26T00:30",
      "2025-10-27T01:30",
    ]);
  });

  test("asked in the repeated hour, a time whose first showing has passed is over", () => {
    expect(following("cron(50 2 * * ? *)", "2025-10-26T01:30Z", 1, "Europe/Stockholm")).toEqual(["2025-10-27T01:50"]);
  });

  // Half-hour and southern changes, a change at midnight, and a zone with none.
  const changes: [string, string][] = [
    ["Europe/Stockholm", "2025-03-30T01:00Z"],
    ["Europe/Stockholm", "2025-10-26T01:00Z"],
    ["America/New_York", "2025-03-09T07:00Z"],
    ["America/New_York", "2025-11-02T06:00Z"],
    ["Australia/Lord_Howe", "2025-04-05T15:00Z"],
    ["Australia/Lord_Howe", "2025-10-04T15:30Z"],
    ["America/Havana", "2025-03-09T05:00Z"],
    ["Asia/Kolkata", "2025-06-01T00:00Z"],
  ];
  test.each(changes)("%s around %s agrees with a walk over every minute", (timeZone, change) => {
    const random = seededRandom(timeZone.length * 7919 + change.length + Number(change.slice(5, 7)));
    const pick = (limit: number, count: number) => [
      ...new Set(Array.from({ length: count }, () => Math.floor(random() * limit))),
    ];
    const startMs = at(change) - 30 * 3_600_000;
    const clock = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
    const walls = Array.from({ length: 60 * 60 }, (_, minute) => clock.format(startMs + minute * 60_000));
    for (let round = 0; round < 12; round++) {
      const minutes = pick(60, 4);
      const hours = [...new Set([...pick(24, 2), ...pick(4, 2)])];
      const weekdays = pick(7, 5).map((day) => day + 1);
      const expression = `cron(${minutes.join()} ${hours.join()} ? * ${weekdays.join()} *)`;
      const seen = new Set<string>();
      const expected: number[] = [];
      walls.forEach((wall, minute) => {
        const [date = "", time = ""] = wall.split(" ");
        const [hour, minuteOfHour] = time.split(":").map(Number);
        const weekday = new Date(`${date}T00:00Z`).getUTCDay() + 1;
        const repeated = seen.has(wall);
        seen.add(wall);
        const matches = hours.includes(hour ?? -1) && minutes.includes(minuteOfHour ?? -1);
        if (matches && weekdays.includes(weekday) && !repeated) expected.push(startMs + minute * 60_000);
      });
      const next = parseScheduleExpression(expression, timeZone, 0);
      const found: number[] = [];
      const endMs = startMs + walls.length * 60_000;
      for (let ms = next(startMs - 1); ms !== undefined && ms < endMs; ms = next(ms)) found.push(ms);
      expect(found.map(iso), expression).toEqual(expected.map(iso));
    }
  });
});

function seededRandom(seed: number) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("a rate counts from its anchor", () => {
  expect(following("rate(90 minutes)", "2025-01-01T10:17Z", 2)).toEqual(["2025-01-01T11:47", "2025-01-01T13:17"]);
  expect(following("rate(1 day)", "2025-01-01T10:17Z", 1)).toEqual(["2025-01-02T10:17"]);
});

test("at() happens once, in its time zone", () => {
  expect(following("at(2025-07-01T09:00:00)", "2025-01-01T00:00Z", 2, "Europe/Stockholm")).toEqual([
    "2025-07-01T07:00",
    undefined,
  ]);
});

const schedulers: Scheduler[] = [];
afterEach(() => {
  for (const scheduler of schedulers.splice(0)) scheduler.stop();
});

function withSchedules(
  definitions: Record<string, Record<string, unknown>>,
  options: Partial<SchedulerOptions> & Pick<SchedulerOptions, "now">,
) {
  const delivered: { target: string; input: string }[] = [];
  const scheduler = createScheduler({
    schedules: Object.entries(definitions).map(([name, { Target, ...more }]) => ({
      name,
      arn: `arn:aws:scheduler:us-east-1:000000000000:schedule/default/${name}`,
      properties: scheduleKind.properties.parse({
        FlexibleTimeWindow: { Mode: "OFF" },
        Target: { Arn: `arn:target:${name}`, RoleArn: "arn:role", ...(Target as object) },
        ...more,
      }),
    })),
    deliver: async (target, input) => {
      delivered.push({ target, input });
    },
    waitMs: async () => {},
    ...options,
  });
  schedulers.push(scheduler);
  return { scheduler, delivered };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
};

const daily = { ScheduleExpression: "cron(0 12 * * ? *)" };
const noon = at("2025-01-01T12:00Z");

/** A clock that runs with real time from `run()` on and can be set forward. */
function runningClock(startMs: number) {
  let startedAt: number | undefined;
  let aheadMs = 0;
  return {
    now: () => startMs + (startedAt === undefined ? 0 : performance.now() - startedAt) + aheadMs,
    run: () => {
      startedAt = performance.now();
    },
    advance: (ms: number) => {
      aheadMs += ms;
    },
  };
}

describe("the clock", () => {
  test("fires each schedule once as the clock passes its time", async () => {
    const clock = runningClock(noon - 40);
    const { scheduler, delivered } = withSchedules(
      { digest: daily, other: { ScheduleExpression: "rate(1 day)" } },
      clock,
    );
    clock.run();
    scheduler.start();
    scheduler.start();
    await until(() => delivered.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(delivered.map(({ target }) => target)).toEqual(["arn:target:digest"]);
  });

  test("set forward fires nothing that was skipped, and goes on with what comes right after", async () => {
    const clock = runningClock(noon - 3_600_000 - 60_000);
    const { scheduler, delivered } = withSchedules(
      { hourly: { ScheduleExpression: "cron(0 * * * ? *)", Target: { Input: "<aws.scheduler.scheduled-time>" } } },
      clock,
    );
    clock.run();
    scheduler.start();
    clock.advance(3_600_000 + 59_950);
    scheduler.skipTo(clock.now());
    await until(() => delivered.length === 1);
    expect(delivered[0]?.input).toBe("2025-01-01T12:00:00Z");
  });

  test("set forward without a word fires nothing that was skipped either", async () => {
    const clock = runningClock(noon - 40);
    const { scheduler, delivered } = withSchedules({ hourly: { ScheduleExpression: "cron(0 * * * ? *)" } }, clock);
    clock.run();
    scheduler.start();
    clock.advance(1_800_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(delivered).toEqual([]);
  });

  test("stopped fires nothing", async () => {
    const clock = runningClock(noon - 30);
    const { scheduler, delivered } = withSchedules({ digest: daily }, clock);
    clock.run();
    scheduler.start();
    scheduler.stop();
    await until(() => clock.now() > noon + 60);
    expect(delivered).toEqual([]);
  });
});

describe("asking what comes", () => {
  const definitions = {
    digest: daily,
    off: { ...daily, State: "DISABLED" },
    sweep: { ScheduleExpression: "rate(12 hours)" },
    bounded: {
      ScheduleExpression: "rate(1 day)",
      StartDate: "2025-01-02T06:00:00Z",
      EndDate: "2025-01-03T06:00:00Z",
    },
  };

  test("lists all occurrences in order, the end included and the start not, disabled ones left out", () => {
    const { scheduler } = withSchedules(definitions, { now: () => noon });
    const found = scheduler.occurrencesBetween(noon, noon + 2 * 86_400_000);
    expect(found.map(({ name, atMs }) => `${iso(atMs)} ${name}`)).toEqual([
      "2025-01-02T00:00 sweep",
      "2025-01-02T06:00 bounded",
      "2025-01-02T12:00 digest",
      "2025-01-02T12:00 sweep",
      "2025-01-03T00:00 sweep",
      "2025-01-03T06:00 bounded",
      "2025-01-03T12:00 digest",
      "2025-01-03T12:00 sweep",
    ]);
    expect(scheduler.nextOccurrence(noon)).toEqual({ name: "sweep", atMs: at("2025-01-02T00:00Z") });
    expect(scheduler.occurrencesBetween(at("2025-01-03T06:00Z"), at("2025-01-09T06:00Z"))).not.toContainEqual(
      expect.objectContaining({ name: "bounded" }),
    );
  });
});

describe("a delivery", () => {
  test("fills AWS's context attributes into the input, for the time it was asked to fire", async () => {
    const Input = JSON.stringify({
      at: "<aws.scheduler.scheduled-time>",
      arn: "<aws.scheduler.schedule-arn>",
      id: "<aws.scheduler.execution-id>",
      attempt: "<aws.scheduler.attempt-number>",
      again: "<aws.scheduler.scheduled-time>",
    });
    const { scheduler, delivered } = withSchedules({ digest: { ...daily, Target: { Input } } }, { now: () => 0 });
    expect(await scheduler.fire("digest", noon)).toEqual({ delivered: true, attempts: 1 });
    expect(JSON.parse(delivered[0]?.input ?? "")).toEqual({
      at: "2025-01-01T12:00:00Z",
      arn: "arn:aws:scheduler:us-east-1:000000000000:schedule/default/digest",
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      attempt: "1",
      again: "2025-01-01T12:00:00Z",
    });
  });

  test("without an input sends the notification AWS sends", async () => {
    const { scheduler, delivered } = withSchedules({ digest: daily }, { now: () => 0 });
    await scheduler.fire("digest", noon);
    expect(JSON.parse(delivered[0]?.input ?? "")).toMatchObject({
      "detail-type": "Scheduled Event",
      source: "aws.scheduler",
      time: "2025-01-01T12:00:00Z",
      resources: ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/digest"],
    });
  });

  const failing = (failures: number) => {
    const inputs: string[] = [];
    const deliver: SchedulerOptions["deliver"] = async (target, input) => {
      inputs.push(`${target} ${input}`);
      if (inputs.length <= failures) throw new Error("target is down");
    };
    return { inputs, deliver };
  };
  const target = {
    Input: "attempt <aws.scheduler.attempt-number>",
    RetryPolicy: { MaximumRetryAttempts: "2" },
    DeadLetterConfig: { Arn: "arn:dead" },
  };

  test("that fails is tried again, with a longer wait each time, and counts its attempts", async () => {
    const { inputs, deliver } = failing(2);
    const waits: number[] = [];
    const waitMs = async (ms: number) => waits.push(ms);
    const { scheduler } = withSchedules({ digest: { ...daily, Target: target } }, { now: () => 0, deliver, waitMs });
    expect(await scheduler.fire("digest", noon)).toEqual({ delivered: true, attempts: 3 });
    expect(inputs.map((input) => input.slice(-9))).toEqual(["attempt 1", "attempt 2", "attempt 3"]);
    expect(waits).toEqual([1000, 2000]);
  });

  test("that fails to the end goes to the dead-letter queue and is reported", async () => {
    const { inputs, deliver } = failing(3);
    const reported: string[] = [];
    const { scheduler } = withSchedules(
      { digest: { ...daily, Target: target } },
      { now: () => 0, deliver, onUndelivered: ({ name }, error) => reported.push(`${name}: ${error}`) },
    );
    expect(await scheduler.fire("digest", noon)).toMatchObject({ delivered: false, attempts: 3 });
    expect(inputs).toHaveLength(4);
    expect(inputs[3]).toBe("arn:dead attempt 3");
    expect(reported).toEqual(["digest: Error: target is down"]);
  });

  test("that is older than the maximum age is given up", async () => {
    const { inputs, deliver } = failing(100);
    let nowMs = 0;
    const { scheduler } = withSchedules(
      { digest: { ...daily, Target: { RetryPolicy: { MaximumEventAgeInSeconds: 60 } } } },
      {
        now: () => nowMs,
        deliver,
        waitMs: async () => {
          nowMs += 31_000;
        },
      },
    );
    expect(await scheduler.fire("digest", noon)).toMatchObject({ delivered: false, attempts: 3 });
    expect(inputs).toHaveLength(3);
  });

  test("of a schedule that does not exist names those that do", async () => {
    const { scheduler } = withSchedules({ digest: daily }, { now: () => 0 });
    await expect(scheduler.fire("weekly", noon)).rejects.toThrow("there is no schedule weekly; there are digest");
  });
});

test("a template with an expression, a zone or a property that cannot be run is refused", () => {
  const schedule = {
    ScheduleExpression: "rate(1 day)",
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: { Arn: "arn:target", RoleArn: "arn:role" },
  };
  const refused = (more: object) => scheduleKind.properties.safeParse({ ...schedule, ...more }).success === false;
  expect(scheduleKind.properties.parse(schedule).State).toBe("ENABLED");
  expect(refused({ ScheduleExpression: "cron(0 9 * * * *)" })).toBe(true);
  expect(refused({ ScheduleExpressionTimezone: "Mars/Olympus" })).toBe(true);
  expect(refused({ Target: { ...schedule.Target, EcsParameters: {} } })).toBe(true);
});
