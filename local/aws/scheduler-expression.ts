import { Cron } from "croner";

/** The first occurrence after an instant (exclusive), both in epoch milliseconds; undefined when there is none left. */
export type NextOccurrence = (afterMs: number) => number | undefined;

/**
 * Reads an EventBridge Scheduler expression: `cron(...)` with AWS's six fields, `rate(...)` counted from `anchorMs`, or
 * `at(...)`. As on AWS, a time that a clock change skips is skipped, and one that comes twice counts once.
 * @throws when the expression or the time zone is not one that AWS takes.
 */
export function parseScheduleExpression(expression: string, timeZone: string, anchorMs: number): NextOccurrence {
  const [, kind, content = ""] = /^(cron|rate|at)\((.*)\)$/.exec(expression) ?? [];
  const zone = zoneOf(timeZone);
  switch (kind) {
    case "cron":
      return cronOccurrences(content, expression, zone);
    case "rate":
      return rateOccurrences(content, expression, anchorMs);
    case "at":
      return oneOccurrence(content, expression, zone);
    default:
      throw new TypeError(`${expression} is not a schedule expression: write cron(...), rate(...) or at(...)`);
  }
}

function cronOccurrences(content: string, expression: string, zone: Zone): NextOccurrence {
  // In UTC every local time exists once, so the pattern is searched there, and each find is then placed in the zone.
  const cron = wallClockCron(content, expression);
  return (afterMs) => {
    let wall = cron.nextRun(new Date(zone.wallOf(afterMs)));
    while (wall !== null) {
      const instant = zone.instantOf(wall.getTime());
      if (instant !== undefined && instant > afterMs) return instant;
      wall = cron.nextRun(wall);
    }
    return undefined;
  };
}

function wallClockCron(content: string, expression: string): Cron {
  const fields = content.trim().split(/\s+/);
  const [minutes, hours, dayOfMonth, month, dayOfWeek, year] = fields;
  if (fields.length !== 6 || dayOfMonth === undefined || dayOfWeek === undefined) {
    throw new TypeError(`${expression} must have six fields: minutes hours day-of-month month day-of-week year`);
  }
  if ((dayOfMonth === "?") === (dayOfWeek === "?")) {
    throw new TypeError(`${expression} must have ? in exactly one of day-of-month and day-of-week`);
  }
  if ([minutes, hours, month, year].some((field) => field?.includes("?"))) {
    throw new TypeError(`${expression} may have ? only in day-of-month or day-of-week`);
  }
  // croner would read 8 as another Sunday, and "/5" as "*/5".
  if (/(^|[,-])[089]|\d\d/.test(dayOfWeek) || fields.some((field) => /(^|,)\//.test(field))) {
    throw new TypeError(`${expression} has a value that AWS does not take`);
  }
  const days = dayOfWeek === "L" ? "SAT" : dayOfWeek;
  const anyDay = (field: string) => (field === "?" ? "*" : field);
  try {
    return new Cron(["0", minutes, hours, anyDay(dayOfMonth), month, anyDay(days), year].join(" "), {
      timezone: "UTC",
      mode: "7-part",
      alternativeWeekdays: true,
      sloppyRanges: true,
      paused: true,
    });
  } catch (error) {
    throw new TypeError(`${expression} is not a cron expression: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

function rateOccurrences(content: string, expression: string, anchorMs: number): NextOccurrence {
  const [, count = "0", unit = "", plural = ""] = /^([1-9]\d*) (minute|hour|day)(s?)$/.exec(content.trim()) ?? [];
  const periodMs = Number(count) * (unitMs[unit] ?? 0);
  if (periodMs === 0 || (count === "1") !== (plural === "")) {
    throw new TypeError(`${expression} must be like rate(1 hour) or rate(5 minutes)`);
  }
  return (afterMs) => {
    const passed = Math.floor((afterMs - anchorMs) / periodMs);
    return anchorMs + Math.max(passed + 1, 0) * periodMs;
  };
}

function oneOccurrence(content: string, expression: string, zone: Zone): NextOccurrence {
  const wallMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(content) ? Date.parse(`${content}Z`) : Number.NaN;
  if (Number.isNaN(wallMs)) throw new TypeError(`${expression} must be like at(2026-01-31T09:00:00)`);
  const instant = zone.instantOf(wallMs);
  return (afterMs) => (instant !== undefined && instant > afterMs ? instant : undefined);
}

/** Local times as if they were UTC ("wall"), in milliseconds, against instants. */
interface Zone {
  wallOf: (instantMs: number) => number;
  /** The first instant at which clocks of the zone show this; undefined when they never do. */
  instantOf: (wallMs: number) => number | undefined;
}

function zoneOf(timeZone: string): Zone {
  const format = dateTimeFormat(timeZone);
  const wallOf = (instantMs: number): number => {
    const part = Object.fromEntries(format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((instantMs % 1000) + 1000) % 1000);
  };
  const instantOf = (wallMs: number): number | undefined => {
    // No zone is further than 15 h from UTC, so these two are before and after any change near the time wanted.
    const offsets = [-86_400_000, 86_400_000].map((awayMs) => wallOf(wallMs + awayMs) - (wallMs + awayMs));
    const instants = offsets.map((offsetMs) => wallMs - offsetMs).filter((instantMs) => wallOf(instantMs) === wallMs);
    return instants.length > 0 ? Math.min(...instants) : undefined;
  };
  return { wallOf, instantOf };
}

function dateTimeFormat(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    throw new TypeError(`${timeZone} is not a time zone: use a name like Europe/Stockholm`, { cause: error });
  }
}
