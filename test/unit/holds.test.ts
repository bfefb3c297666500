import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createHolds, type Holds } from "../../lambdas/runtime/holds.ts";
import { createClock, startState } from "./state.ts";

const hourMs = 3_600_000;
const clock = createClock();
let state: Awaited<ReturnType<typeof startState>>;
let holds: Holds;

beforeAll(async () => {
  state = await startState();
  holds = createHolds({ table: state.open(clock.now), now: clock.now });
});
afterAll(() => state.close());
beforeEach(() => holds.lift("email"));

const inHours = (hours: number) => clock.now() + hours * hourMs;
const byStation = (untilMs: number) =>
  holds.place({ queue: "email", untilMs, reason: "Resend's quota is used up", by: "station" });
const byOperator = (untilMs: number | null) =>
  holds.place({ queue: "email", untilMs, reason: "a look at the templates", by: "operator" });

test("a hold is in force until its end, to the millisecond, and only for its own queue", async () => {
  const untilMs = inHours(1);
  expect(await byStation(untilMs)).toBe(true);
  expect(await holds.read("email")).toEqual({
    queue: "email",
    untilMs,
    reason: "Resend's quota is used up",
    by: "station",
    placedAtMs: clock.now(),
  });
  expect(await holds.read("pulse")).toBeUndefined();
  clock.set(untilMs - 1);
  expect(await holds.read("email")).toBeDefined();
  clock.set(untilMs);
  expect(await holds.read("email")).toBeUndefined();
});

test("of two holds the later end wins, whichever comes first", async () => {
  await byStation(inHours(2));
  expect(await byStation(inHours(1))).toBe(false);
  expect((await holds.read("email"))?.untilMs).toBe(inHours(2));
  expect(await byStation(inHours(3))).toBe(true);
  expect((await holds.read("email"))?.untilMs).toBe(inHours(3));
});

test("a hold that is over does not keep a shorter one from being placed", async () => {
  await byStation(inHours(5));
  clock.advance(6 * hourMs);
  expect(await byStation(inHours(1))).toBe(true);
  expect((await holds.read("email"))?.untilMs).toBe(inHours(1));
});

describe("an operator's hold", () => {
  test("is not shortened by the station", async () => {
    await byOperator(inHours(2));
    expect(await byStation(inHours(1))).toBe(false);
    expect(await holds.read("email")).toMatchObject({ untilMs: inHours(2), by: "operator" });
  });

  test("without an end stays until it is lifted, whatever the station places", async () => {
    await byStation(inHours(1));
    expect(await byOperator(null)).toBe(true);
    expect(await byStation(inHours(1000))).toBe(false);
    clock.advance(365 * 24 * hourMs);
    expect(await holds.read("email")).toMatchObject({ untilMs: null, by: "operator" });
    await holds.lift("email");
    expect(await holds.read("email")).toBeUndefined();
  });

  test("may be shortened by the operator, and made to end", async () => {
    await byOperator(inHours(9));
    expect(await byOperator(inHours(1))).toBe(true);
    expect((await holds.read("email"))?.untilMs).toBe(inHours(1));
    await byOperator(null);
    expect(await byOperator(inHours(2))).toBe(true);
    expect((await holds.read("email"))?.untilMs).toBe(inHours(2));
  });

  test("does not shorten the station's: a provider's pause is no matter of taste", async () => {
    await byStation(inHours(9));
    expect(await byOperator(inHours(1))).toBe(false);
    expect((await holds.read("email"))?.untilMs).toBe(inHours(9));
  });
});

test("of a hundred workers that place a hold at once, the one that knows the latest end wins", async () => {
  await Promise.all(Array.from({ length: 100 }, (_, index) => byStation(inHours(1) + index)));
  expect((await holds.read("email"))?.untilMs).toBe(inHours(1) + 99);
});
