import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Deferred } from "../../lambdas/core/outcome.ts";
import { ProviderUnavailable, QuotaExceeded, RateLimited } from "../../lambdas/core/provider-failure.ts";
import { napAfter, restOf } from "../../lambdas/core/waiting.ts";
import { takeNap } from "../../lambdas/runtime/nap.ts";
import { longestRunMs, sittingOut } from "../../lambdas/tasks/digest/sit-out.ts";
import { createWeekClaims } from "../../lambdas/tasks/digest/week-claim.ts";
import { createClock, startState } from "./state.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const nowMs = Date.parse("2026-03-02T09:00:00.250Z");
const giveUpMs = nowMs + 47 * hourMs;
const nap = (error: unknown) => napAfter(error, { nowMs, giveUpMs });

describe("A run that cannot go on", () => {
  test("looks again when it may, in whole seconds", () => {
    expect(nap(new Deferred("open", nowMs + 2 * minuteMs))).toBe(Date.parse("2026-03-02T09:02:01Z"));
  });

  test("looks again after ten minutes at the latest, since a pause may end early", () => {
    const midnight = Date.parse("2026-03-03T00:00:00Z");
    expect(nap(new QuotaExceeded("gone", midnight))).toBe(Date.parse("2026-03-02T09:10:01Z"));
  });

  test.each([0, -hourMs, 100])("does not turn in circles over a pause that is over in %i ms", (ms) => {
    expect(nap(new RateLimited("slow", nowMs + ms))).toBe(Date.parse("2026-03-02T09:00:06Z"));
  });

  test("waits for a provider that failed it by the breaker's time, and not where the breaker is closed", () => {
    expect(nap(new ProviderUnavailable("502", { restUntilMs: nowMs + minuteMs }))).toBe(
      Date.parse("2026-03-02T09:01:01Z"),
    );
    expect(nap(new ProviderUnavailable("502"))).toBeUndefined();
    expect(restOf(new ProviderUnavailable("502"))).toBeUndefined();
  });

  test("does not wait for what its machine would not live to see, nor after an error of another kind", () => {
    expect(nap(new QuotaExceeded("the month's", giveUpMs + 1))).toBeUndefined();
    expect(nap(new QuotaExceeded("the day's", giveUpMs))).toBeDefined();
    expect(nap(new Error("a bug"))).toBeUndefined();
  });
});

describe("Tasks of the digest", () => {
  let state: Awaited<ReturnType<typeof startState>>;
  beforeAll(async () => {
    state = await startState();
    vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
    vi.stubEnv("STATION_STAGE", "test");
  });
  afterAll(() => state.close());

  const input = { week: "2026-W10", contentFrom: "2026-02-23", scheduledTime: "2026-03-02T09:00:00Z" };
  async function claimed(week: string) {
    const clock = createClock(nowMs);
    const claims = createWeekClaims({ table: state.open(clock.now), now: clock.now });
    await claims.claim(week, "a", "batch");
    const run = (error: Error, context: { execution?: string; startedMs?: number | undefined } = {}) => {
      const task = sittingOut({ claims, now: clock.now }, async () => {
        throw error;
      });
      return task(
        { ...input, week },
        {
          execution: "a",
          startedMs: nowMs,
          remainingMs: () => 1_000_000,
          ...context,
        },
      );
    };
    const startAnother = async () => (await claims.claim(week, "b", "batch")).kind;
    return { clock, claims, run, startAnother };
  }

  test("answer when to come back, and keep the week from others until after that", async () => {
    const { clock, run, startAnother } = await claimed("2026-W10");
    const deferred = new Deferred("open", nowMs + 10 * hourMs);
    for (let naps = 0; naps < 6; naps += 1) {
      const { done, resumeAt } = await run(deferred);
      expect(done).toBe(false);
      clock.set(Date.parse(String(resumeAt)));
      expect(await startAnother()).toBe("joined");
    }
  });

  test("leave the week to the next start soon when their run is stopped while it waits", async () => {
    const { clock, run, startAnother } = await claimed("2026-W11");
    await run(new Deferred("gone", nowMs + 15 * hourMs));
    clock.advance(14 * minuteMs);
    expect(await startAnother()).toBe("joined");
    clock.advance(2 * minuteMs);
    expect(await startAnother()).toBe("claimed");
  });

  test("stop when another run has the week, instead of waiting beside it", async () => {
    const { run } = await claimed("2026-W12");
    await expect(run(new Deferred("open", nowMs + hourMs), { execution: "b" })).rejects.toMatchObject({
      name: "LeaseLost",
    });
  });

  test("fail when there is nothing to wait for, or not in this run's time", async () => {
    const { run } = await claimed("2026-W13");
    await expect(run(new Error("a bug"))).rejects.toThrow("a bug");
    const late = new QuotaExceeded("the month's", nowMs + longestRunMs + 1);
    await expect(run(late)).rejects.toMatchObject({ name: "QuotaExceeded" });
  });

  test("fail as before in a run of a definition that knows no waiting", async () => {
    const { run } = await claimed("2026-W14");
    await expect(run(new Deferred("open", nowMs + hourMs), { startedMs: undefined })).rejects.toMatchObject({
      name: "Deferred",
    });
    expect(takeNap(new Deferred("open", 1), { now: () => 0, startedMs: undefined, longestRunMs })).toBeUndefined();
  });
});
