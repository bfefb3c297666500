import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Deferred } from "../../lambdas/core/outcome.ts";
import { afterOverrun, decidePacing, firstJitterMs, type PacerState } from "../../lambdas/core/pacing.ts";
import { createPacer, type Pacer } from "../../lambdas/runtime/pacer.ts";
import { createRateWindow } from "../../local/vendors/resend/limits.ts";
import { createSeededRandom } from "../../local/vendors/seeded-random.ts";
import { brokenTable, createClock, startState } from "./state.ts";

const start = Date.parse("2026-03-02T09:00:00Z");

/** Callers without end of work that share one state; when their calls arrive at the provider. */
function simulate({
  callers,
  limit,
  seconds,
  seed,
  jitterMs = 20,
  networkMs = 20,
}: {
  callers: number;
  limit: number;
  seconds: number;
  seed: number;
  jitterMs?: number;
  networkMs?: number;
}): number[] {
  const random = createSeededRandom(seed);
  const wakesAt = Array.from({ length: callers }, () => start + random() * 1000);
  const arrivals: number[] = [];
  let state: PacerState = { windowStartMs: 0, used: 0, limit, pausedUntilMs: 0, jitterMs };
  for (;;) {
    const nowMs = Math.min(...wakesAt);
    if (nowMs >= start + seconds * 1000) return arrivals.sort((left, right) => left - right);
    const caller = wakesAt.indexOf(nowMs);
    const decision = decidePacing(state, { wanted: 1 + Math.floor(random() * limit), nowMs });
    if (decision.kind === "grant") {
      // A pretended jitter stays as it is.
      state = { ...decision.state, jitterMs };
      for (let call = 0; call < decision.granted; call += 1) arrivals.push(nowMs + random() * networkMs);
      // Some come back at once, some after a while: windows are opened and filled at all times.
      wakesAt[caller] = nowMs + (random() < 0.5 ? 0.01 : random() * 400);
    } else {
      wakesAt[caller] = decision.untilMs + random() * 2;
    }
  }
}

/** Calls beyond the provider's anchored window of one second; the stand-in's own rule judges. */
function overruns(arrivals: number[], limit: number): number {
  let at = 0;
  const provider = createRateWindow(
    () => at,
    () => limit,
  );
  return arrivals.filter((arrival) => {
    at = arrival;
    return !provider.take().allowed;
  }).length;
}

describe("eight callers with up to 20 ms of network jitter", () => {
  test.each([2, 5, 10, 100])("never overrun a limit of %i per second, and use at least 97 percent of it", (limit) => {
    const seconds = 600;
    for (let seed = 1; seed <= 5; seed += 1) {
      const arrivals = simulate({ callers: 8, limit, seconds, seed });
      expect(overruns(arrivals, limit), `seed ${seed}`).toBe(0);
      expect(arrivals.length / (limit * seconds), `seed ${seed}`).toBeGreaterThanOrEqual(0.97);
    }
  });

  test("spread their calls after an overrun, and come closer again window by window", () => {
    const calm: PacerState = { windowStartMs: start, used: 3, limit: 10, pausedUntilMs: 0, jitterMs: 20 };
    let state = afterOverrun(afterOverrun(calm));
    expect(state.jitterMs).toBe(80);
    expect(decidePacing(state, { wanted: 1, nowMs: start + 1050 })).toMatchObject({
      kind: "wait",
      untilMs: start + 1080,
    });
    for (let window = 1; window <= 200; window += 1) {
      const decision = decidePacing(state, { wanted: 1, nowMs: start + window * 2000 });
      if (decision.kind === "grant") state = decision.state;
    }
    expect(state.jitterMs).toBe(20);
  });

  test("would overrun it if the window were the provider's second and no longer", () => {
    expect(overruns(simulate({ callers: 8, limit: 10, seconds: 600, seed: 1, jitterMs: 0 }), 10)).toBeGreaterThan(50);
  });
});

describe("a decision", () => {
  const state: PacerState = { windowStartMs: start, used: 4, limit: 10, pausedUntilMs: 0, jitterMs: 20 };
  const options = { nowMs: start + 500 };

  test("grants what is left of the window, however much is wanted", () => {
    expect(decidePacing(state, { ...options, wanted: 3 })).toMatchObject({ granted: 3, state: { used: 7 } });
    expect(decidePacing(state, { ...options, wanted: 50 })).toMatchObject({ granted: 6, state: { used: 10 } });
    expect(decidePacing({ ...state, used: 10 }, { ...options, wanted: 1 })).toEqual({
      kind: "wait",
      untilMs: start + 1020,
      reason: "window",
    });
  });

  test("grants nothing at the end of a window, where a late call could open the provider's next one early", () => {
    const at = (nowMs: number) => decidePacing(state, { ...options, wanted: 1, nowMs }).kind;
    expect([at(start + 979), at(start + 980), at(start + 1019), at(start + 1020)]).toEqual([
      "grant",
      "wait",
      "wait",
      "grant",
    ]);
  });

  test("waits out a pause even when the window is empty", () => {
    const paused = { ...state, pausedUntilMs: start + 60_000 };
    expect(decidePacing(paused, { wanted: 1, nowMs: start + 59_999 })).toEqual({
      kind: "wait",
      untilMs: start + 60_000,
      reason: "pause",
    });
    expect(decidePacing(paused, { wanted: 1, nowMs: start + 60_000 }).kind).toBe("grant");
  });

  test("lets at least one call a second through, whatever limit was learned", () => {
    expect(decidePacing({ ...state, limit: 0.2 }, { wanted: 5, nowMs: start + 5000 })).toMatchObject({
      granted: 1,
    });
  });

  test("a lowered limit grants nothing more in a window that used more already", () => {
    expect(decidePacing({ ...state, used: 8, limit: 5 }, { ...options, wanted: 1 }).kind).toBe("wait");
  });
});

describe("the pacer, over a real table", () => {
  let state: Awaited<ReturnType<typeof startState>>;
  beforeAll(async () => {
    vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
    state = await startState();
  });
  afterAll(async () => {
    await state.close();
  });
  const pacerOf = (provider: string, now: () => number, callsPerSecond = 5, maximumWaitMs?: number): Pacer =>
    createPacer({ provider, table: state.open(now), callsPerSecond, now, ...(maximumWaitMs ? { maximumWaitMs } : {}) });

  test("shared by several functions, gives each window's calls once", async () => {
    const grantedMs: number[] = [];
    const functions = Array.from({ length: 4 }, () => pacerOf("shared", Date.now, 5));
    await Promise.all(
      functions.flatMap((pacer) =>
        Array.from({ length: 4 }, async () => {
          await pacer.acquire("bulk");
          grantedMs.push(Date.now());
        }),
      ),
    );
    // Sixteen calls at five a second take four windows.
    const [first = 0, ...rest] = grantedMs.sort((left, right) => left - right);
    const windows = [first, ...rest].map((atMs) => Math.round((atMs - first) / 1020));
    expect((rest.at(-1) ?? 0) - first).toBeGreaterThanOrEqual(3_000);
    expect(
      Math.max(...[0, 1, 2, 3].map((window) => windows.filter((each) => each === window).length)),
    ).toBeLessThanOrEqual(5);
  });

  test("counts a window from when its calls can leave, if the table was slow to take the reservation", async () => {
    const clock = createClock();
    const table = state.open(clock.now);
    const slowTable = {
      ...table,
      put: async (...args: Parameters<typeof table.put>) => {
        clock.advance(200);
        return table.put(...args);
      },
    };
    await createPacer({ provider: "slow", table: slowTable, callsPerSecond: 5, now: clock.now }).acquire("bulk");
    expect(await table.get({ pk: "pacer", sk: "slow" })).toMatchObject({ windowStartMs: start + 200, used: 1 });
  });

  test("lets an urgent call pass the bulk calls of the same function", async () => {
    const pacer = pacerOf("urgent", Date.now, 1);
    const order: string[] = [];
    await pacer.acquire("bulk");
    await Promise.all([
      pacer.acquire("bulk").then(() => order.push("bulk")),
      pacer.acquire("urgent").then(() => order.push("urgent")),
    ]);
    expect(order).toEqual(["urgent", "bulk"]);
  });

  test("learns the limit for all functions", async () => {
    const clock = createClock();
    const [one, other] = [pacerOf("learning", clock.now, 1), pacerOf("learning", clock.now, 1)];
    await one.acquire("bulk");
    await other.learn(10);
    clock.advance(1000 + firstJitterMs);
    // Ten at the same instant of a clock that stands: with the first limit the second would wait for ever.
    await Promise.all(Array.from({ length: 10 }, () => one.acquire("bulk")));
    const item = await state.open(clock.now).get({ pk: "pacer", sk: "learning" });
    expect(item).toMatchObject({ limit: 10, used: 10 });
  });

  test("defers at once what a pause keeps longer than a function can wait, and keeps the longest pause", async () => {
    const clock = createClock();
    const [one, other] = [pacerOf("paused", clock.now), pacerOf("paused", clock.now)];
    await one.pause(start + 60_000, "announced");
    await one.pause(start + 30_000, "announced");
    const refused = await other.acquire("urgent").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Deferred);
    expect(refused).toMatchObject({ untilMs: start + 60_000 });
    clock.advance(60_000);
    await other.acquire("urgent");
  });

  test("keeps a pause that several functions ask for at once", async () => {
    const clock = createClock();
    const functions = Array.from({ length: 4 }, () => pacerOf("rush", clock.now));
    await Promise.all(functions.map((pacer, index) => pacer.pause(start + (index + 1) * 60_000, "announced")));
    const item = await state.open(clock.now).get({ pk: "pacer", sk: "rush" });
    expect(item).toMatchObject({ pausedUntilMs: start + 240_000 });
  });

  test("that cannot reach its table refuses calls, but hides neither an answer nor a refusal of the provider", async () => {
    const pacer = createPacer({ provider: "p", table: brokenTable, callsPerSecond: 1, now: Date.now });
    await expect(pacer.acquire("bulk")).rejects.toThrow("throttled");
    await expect(pacer.learn(10)).resolves.toBeUndefined();
    await expect(pacer.pause(start, "announced")).resolves.toBeUndefined();
  });

  test("goes on after an error", async () => {
    let broken = true;
    const table = state.open(Date.now);
    const pacer = createPacer({
      provider: "mended",
      table: { ...table, get: (key) => (broken ? brokenTable.get(key) : table.get(key)) },
      callsPerSecond: 1,
      now: Date.now,
    });
    await expect(pacer.acquire("bulk")).rejects.toThrow("throttled");
    broken = false;
    await pacer.acquire("bulk");
  });
});
