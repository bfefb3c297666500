import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { usedShare } from "../../bench/pacer/used-share.ts";
import { firstJitterMs, leastJitterMs } from "../../lambdas/core/pacing.ts";
import { type SimulatedCall, type Simulation, simulateFunctions } from "./paced-functions.ts";

const warmUpMs = 8000;
/** A window and a tenth of a second. */
const urgentBoundMs = 1000 + leastJitterMs + 100;
const refused = (calls: SimulatedCall[]) => calls.filter(({ allowed }) => !allowed).length;
const urgentWaits = ({ calls }: Simulation, fromMs: number) =>
  calls.flatMap(({ urgency, arrivedMs, waitedMs }) => (urgency === "urgent" && arrivedMs >= fromMs ? [waitedMs] : []));
const startFunctions = (simulation: Simulation, count: number) =>
  Array.from({ length: count }, () => simulation.startFunction());

beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});
afterAll(() => {
  vi.unstubAllEnvs();
});

describe("eight functions with up to 20 ms of network jitter, simulated", () => {
  test.each([2, 5, 10, 100])("never overrun a limit of %i per second, and use 97 percent of it", async (limit) => {
    for (let seed = 1; seed <= (limit === 100 ? 2 : 8); seed += 1) {
      const simulation = simulateFunctions({ seed, limit });
      const { time, calls } = simulation;
      const startMs = time.now();
      for (const each of startFunctions(simulation, 8)) each.keepCalling("bulk", limit === 100 ? 16 : 6);
      await time.pass(90_000);
      expect(refused(calls), `seed ${seed}`).toBe(0);
      const arrivals = calls.map(({ arrivedMs }) => arrivedMs);
      expect(usedShare(arrivals, limit, startMs + warmUpMs), `seed ${seed}`).toBeGreaterThanOrEqual(0.97);
    }
  });

  test.each([0.3, 0.8])("never overrun it with calls at any time, at %d of the limit", async (load) => {
    for (const limit of [2, 5, 10]) {
      for (let seed = 1; seed <= 5; seed += 1) {
        const simulation = simulateFunctions({ seed, limit });
        const { time, calls, random } = simulation;
        const functions = startFunctions(simulation, 8);
        for (let call = 0; call < 60 * limit * load; call += 1) {
          const urgency = random() < 0.3 ? "urgent" : "bulk";
          time.after(random() * 60_000, () => void functions[call % 8]?.call(urgency).catch(() => {}));
        }
        await time.pass(90_000);
        expect(refused(calls), `limit ${limit}, seed ${seed}`).toBe(0);
      }
    }
  });

  test("learn from the answers when the first calls took long to arrive", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const simulation = simulateFunctions({ seed, limit: 10, coldMs: 200 });
      for (const each of startFunctions(simulation, 8)) each.keepCalling("bulk", 8);
      await simulation.time.pass(20_000);
      expect(refused(simulation.calls), `seed ${seed}`).toBe(0);
    }
  });

  test("would overrun it with more jitter than is allowed for, and then spread their calls", async () => {
    const simulation = simulateFunctions({ seed: 1, limit: 10, networkMs: 150 });
    for (const each of startFunctions(simulation, 8)) each.keepCalling("bulk", 2);
    await simulation.time.pass(60_000);
    const late = simulation.calls.filter(({ arrivedMs }) => arrivedMs > simulation.time.now() - 20_000);
    expect(refused(simulation.calls)).toBeGreaterThan(0);
    expect(refused(late)).toBeLessThanOrEqual(2);
  });

  test("make at most one call too many when the limit is cut from 10 to 5, whenever that is", async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const simulation = simulateFunctions({ seed, limit: 10 });
      const { time, calls, vendor } = simulation;
      for (const each of startFunctions(simulation, 8)) each.keepCalling("bulk", 8);
      await time.pass(9000 + seed * 35);
      vendor.limit = 5;
      await time.pass(10_000);
      expect(refused(calls), `seed ${seed}`).toBeLessThanOrEqual(1);
      // No jitter explains a refusal that the lower limit does.
      expect(simulation.state()).toMatchObject({ limit: 5, jitterMs: leastJitterMs });
    }
  });
});

describe("an urgent call, while bulk takes all it can get", () => {
  test.each([2, 5, 10, 100])("waits a window and 100 ms at most at a limit of %i", async (limit) => {
    for (let seed = 1; seed <= (limit === 100 ? 1 : 6); seed += 1) {
      const simulation = simulateFunctions({ seed, limit });
      const startMs = simulation.time.now();
      for (const each of startFunctions(simulation, 8)) each.keepCalling("bulk", limit === 100 ? 16 : 4);
      simulation.startFunction().keepCalling("urgent", 1, 4000);
      await simulation.time.pass(90_000);
      const waits = urgentWaits(simulation, startMs + warmUpMs);
      expect(waits.length).toBeGreaterThan(20);
      expect(Math.max(...waits), `seed ${seed}`).toBeLessThanOrEqual(urgentBoundMs);
      // The first windows are longer.
      expect(Math.max(...urgentWaits(simulation, startMs))).toBeLessThanOrEqual(1000 + firstJitterMs + 100);
    }
  });

  test("of a function that dies takes no room from anybody for longer than a window", async () => {
    const simulation = simulateFunctions({ seed: 1, limit: 10 });
    const { time, calls } = simulation;
    for (const each of startFunctions(simulation, 4)) each.keepCalling("bulk", 8);
    await time.pass(10_000);
    for (let death = 0; death < 5; death += 1) {
      const doomed = simulation.startFunction();
      for (let call = 0; call < 4; call += 1) void doomed.call("urgent");
      await time.pass(100 + 150 * death);
      doomed.kill();
    }
    const fromMs = time.now() + 2500;
    await time.pass(12_500);
    const arrivals = calls.map(({ arrivedMs }) => arrivedMs);
    expect(usedShare(arrivals, 10, fromMs)).toBeGreaterThanOrEqual(0.97);
    expect(refused(calls)).toBe(0);
  });
});

test.each([1, 2, 10])("bulk gets a call every few seconds at a limit of %i, however many are urgent", async (limit) => {
  const simulation = simulateFunctions({ seed: 3, limit });
  for (const each of startFunctions(simulation, 4)) each.keepCalling("urgent", 6);
  simulation.startFunction().keepCalling("bulk", 2);
  await simulation.time.pass(90_000);
  const served = simulation.calls.filter(({ urgency }) => urgency === "bulk").map(({ arrivedMs }) => arrivedMs);
  const gaps = served.slice(1).map((arrivedMs, index) => arrivedMs - (served[index] ?? 0));
  expect(served.length).toBeGreaterThan(10);
  expect(Math.max(...gaps)).toBeLessThan(8500);
  // Most of the room is still the urgent ones'.
  expect(served.length / simulation.calls.length).toBeLessThan(0.25);
});
