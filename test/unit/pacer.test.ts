import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Deferred } from "../../lambdas/core/outcome.ts";
import { firstJitterMs } from "../../lambdas/core/pacing.ts";
import { createPacer, type Pacer } from "../../lambdas/runtime/pacer.ts";
import type { Item, StateTable } from "../../lambdas/runtime/state-table.ts";
import { createVirtualTime } from "./paced-functions.ts";
import { brokenTable, createClock, startState } from "./state.ts";

const start = Date.parse("2026-03-02T09:00:00Z");

vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");

describe("a slow table", () => {
  const openSlow = (slowMs: number) => {
    const time = createVirtualTime();
    let item: Item | undefined;
    const table: StateTable = {
      ...brokenTable,
      get: async () => {
        await time.sleep(slowMs);
        return item;
      },
      put: async (_, value) => {
        await time.sleep(slowMs);
        item = value;
        return true;
      },
    };
    const pacer = createPacer({ provider: "slow", table, callsPerSecond: 5, now: time.now, after: time.after });
    return { time, pacer, state: () => item };
  };

  test("begins a window when its calls can leave", async () => {
    const { time, pacer, state } = openSlow(200);
    const call = pacer.acquire("bulk");
    await time.pass(1000);
    await call;
    // Read, then reserved: the call left after 400 ms, and the next window is as much later.
    expect(state()).toMatchObject({ used: 1, windowEndMs: start + 400 + 1000 + firstJitterMs });
  });

  test.each([1500, 60_000])(
    "that takes %i ms each time defers calls in the end, instead of trying for ever",
    async (slowMs) => {
      const { time, pacer } = openSlow(slowMs);
      const refused = pacer.acquire("bulk").catch((error: unknown) => error);
      await time.pass(20_000);
      expect(await refused).toBeInstanceOf(Deferred);
    },
  );
});

describe("the pacer, over a real table", () => {
  let state: Awaited<ReturnType<typeof startState>>;
  beforeAll(async () => {
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
    // Sixteen calls at five a second take four windows, of which the last is begun after three.
    const [first = 0, ...rest] = grantedMs.toSorted((left, right) => left - right);
    expect((rest.at(-1) ?? 0) - first).toBeGreaterThanOrEqual(3000);
    for (const atMs of grantedMs) {
      const within = grantedMs.filter((other) => other >= atMs && other < atMs + 900);
      expect(within.length).toBeLessThanOrEqual(10);
    }
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
    const [one, other] = [pacerOf("learning", Date.now, 1), pacerOf("learning", Date.now, 1)];
    await one.acquire("bulk");
    await other.learn(10);
    const startedMs = Date.now();
    await Promise.all(Array.from({ length: 10 }, () => one.acquire("bulk")));
    // With the first limit it would take ten seconds.
    expect(Date.now() - startedMs).toBeLessThan(2000 + 2 * firstJitterMs);
    const item = await state.open(Date.now).get({ pk: "pacer", sk: "learning" });
    expect(item).toMatchObject({ limit: 10 });
  });

  test("defers at once what a pause keeps longer than a function can wait, and keeps the longest pause", async () => {
    const clock = createClock();
    const [one, other] = [pacerOf("paused", clock.now), pacerOf("paused", clock.now)];
    await one.pause(start + 60_000, "announced");
    await one.pause(start + 30_000, "announced");
    const refused = await other.acquire("urgent").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Deferred);
    expect(refused).toMatchObject({ untilMs: start + 60_000 });
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
