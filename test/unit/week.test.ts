import { describe, expect, test } from "vitest";
import { digestWeek, isoWeek, localDate, mondayOf, rehearsedWeek } from "../../lambdas/core/week.ts";

const at = (instant: string) => Date.parse(instant);

test.each([
  // The years that ISO weeks are known for getting wrong.
  ["2026-01-01", "2026-W01", "2025-12-29"],
  ["2024-12-30", "2025-W01", "2024-12-30"],
  ["2027-01-01", "2026-W53", "2026-12-28"],
  ["2027-01-03", "2026-W53", "2026-12-28"],
  ["2027-01-04", "2027-W01", "2027-01-04"],
  ["2020-12-31", "2020-W53", "2020-12-28"],
  ["2023-01-01", "2022-W52", "2022-12-26"],
  ["2024-02-29", "2024-W09", "2024-02-26"],
])("%s lies in %s, which begins on %s", (date, week, monday) => {
  expect(isoWeek(date)).toBe(week);
  expect(mondayOf(date)).toBe(monday);
});

test("every day of twelve years lies in the week of its Monday, and weeks follow one another without a gap", () => {
  const names: string[] = [];
  for (let ms = at("2020-01-06T00:00:00Z"); ms < at("2032-01-05T00:00:00Z"); ms += 86_400_000) {
    const date = new Date(ms).toISOString().slice(0, 10);
    expect(isoWeek(date)).toBe(isoWeek(mondayOf(date)));
    if (names.at(-1) !== isoWeek(date)) names.push(isoWeek(date));
  }
  expect(names).toEqual([...new Set(names)].sort());
  // 2020 and 2026 have 53 weeks.
  expect(names.length).toBe(12 * 52 + 2);
});

describe("the digest of a run", () => {
  test.each([
    ["Pacific/Auckland", "2026-03-01T20:00:00Z", "2026-W10", "2026-02-23"],
    ["UTC", "2026-03-01T20:00:00Z", "2026-W09", "2026-02-16"],
    ["America/Los_Angeles", "2026-03-02T06:00:00Z", "2026-W09", "2026-02-16"],
    // Clocks go forward on the Sunday before and back on the Sunday before: Monday 9:00 is Monday in both.
    ["Europe/Berlin", "2026-03-30T07:00:00Z", "2026-W14", "2026-03-23"],
    ["Europe/Berlin", "2026-10-26T08:00:00Z", "2026-W44", "2026-10-19"],
    // 23:30 UTC on Sunday is Monday in summer time already.
    ["Europe/London", "2026-06-07T23:30:00Z", "2026-W24", "2026-06-01"],
    ["Europe/London", "2026-12-06T23:30:00Z", "2026-W49", "2026-11-23"],
  ])("in %s at %s is that of %s, with content from %s", (zone, instant, week, contentFrom) => {
    expect(digestWeek(at(instant), zone)).toEqual({ week, contentFrom });
  });

  test("is the same all week long, so that a run made up for on Friday sends Monday's digest", () => {
    const weeks = new Set<string>();
    for (let ms = at("2026-03-02T00:00:00Z"); ms < at("2026-03-09T00:00:00Z"); ms += 3_600_000)
      weeks.add(JSON.stringify(digestWeek(ms, "UTC")));
    expect([...weeks]).toEqual([JSON.stringify({ week: "2026-W10", contentFrom: "2026-02-23" })]);
  });
});

test.each(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles"])(
  "in %s Monday's rehearsal at 6:00 prepares what is sent at 9:00, and every later one of the week the next Monday's",
  (zone) => {
    for (const monday of ["2026-03-30", "2026-10-26", "2026-12-28", "2027-01-04"]) {
      const noonUtc = at(`${monday}T12:00:00Z`);
      // The instant at which clocks in the zone show this hour on Monday.
      const local = (hour: number) => {
        for (let ms = noonUtc - 36 * 3_600_000; ms < noonUtc + 36 * 3_600_000; ms += 3_600_000) {
          const shown = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", hourCycle: "h23" }).format(
            ms,
          );
          if (localDate(ms, zone) === monday && Number(shown) === hour) return ms;
        }
        throw new Error(`no ${hour}:00 in ${zone}`);
      };
      expect(rehearsedWeek(local(6), zone)).toEqual(digestWeek(local(9), zone));
      for (let day = 1; day <= 6; day += 1)
        expect(rehearsedWeek(local(6) + day * 86_400_000, zone)).toEqual(digestWeek(local(9) + 7 * 86_400_000, zone));
    }
  },
);
