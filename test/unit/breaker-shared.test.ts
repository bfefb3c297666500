import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Deferred } from "../../lambdas/core/outcome.ts";
import { acquireBehind, type Breaker, createBreaker, readProvidersDown } from "../../lambdas/runtime/breaker.ts";
import type { StateTable } from "../../lambdas/runtime/state-table.ts";
import { brokenTable, createClock, startState } from "./state.ts";

const budget = { failures: 3, withinSeconds: 60, openSeconds: 15, longestOpenSeconds: 60 };
let state: Awaited<ReturnType<typeof startState>>;
let clock: ReturnType<typeof createClock>;
let written: string[];

beforeAll(async () => {
  vi.stubEnv("STATION_STAGE", "test");
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  state = await startState();
});
afterAll(() => state.close());
beforeEach(async () => {
  clock = createClock();
  await state.open(clock.now).remove({ pk: "breaker", sk: "resend" });
  written = [];
  vi.spyOn(process.stdout, "write").mockImplementation((line) => {
    written.push(String(line));
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A table that counts what is asked of it. */
function counting(table: StateTable) {
  const counts = { gets: 0, puts: 0 };
  const counted: StateTable = {
    ...table,
    get: (key) => {
      counts.gets += 1;
      return table.get(key);
    },
    put: (...parts) => {
      counts.puts += 1;
      return table.put(...parts);
    },
  };
  return { table: counted, counts };
}

/** A process: it has its own breaker and shares nothing but the table. */
const open = (table: StateTable = state.open(clock.now)): Breaker =>
  createBreaker({ provider: "resend", table, budget, timeoutMs: 10_000, now: clock.now });
const openMany = (amount: number): Breaker[] => {
  const table = state.open(clock.now);
  return Array.from({ length: amount }, () => open(table));
};

const admissionOf = (breaker: Breaker) =>
  breaker.admit().catch((error: unknown) => (error instanceof Deferred ? error.untilMs : error));
const knockOut = async (breaker: Breaker) => {
  for (let failure = 0; failure < budget.failures; failure += 1) await breaker.failed(clock.now());
};

describe("many processes", () => {
  test("all leave the provider alone once one of them saw it fail often enough, within a second", async () => {
    const [first, ...others] = openMany(20);
    if (!first) throw new Error("none");
    for (const breaker of others) expect(await breaker.admit()).toBe("free");
    await knockOut(first);
    clock.advance(1000);
    const until = clock.now() + 14_000;
    expect(new Set(await Promise.all(others.map(admissionOf)))).toEqual(new Set([until]));
  });

  test("count their failures together", async () => {
    const breakers = openMany(3);
    const rests = [];
    for (const breaker of breakers) rests.push(await breaker.failed(clock.now()));
    expect(rests).toEqual([undefined, undefined, clock.now() + 15_000]);
  });

  test("fail at once and open once, with one signal", async () => {
    const breakers = openMany(12);
    const rests = await Promise.all(breakers.flatMap((breaker) => [1, 2, 3].map(() => breaker.failed(clock.now()))));
    expect(rests.at(-1)).toBe(clock.now() + 15_000);
    await Promise.all(breakers.map(admissionOf));
    expect(written.filter((line) => line.includes('"breaker-open":1'))).toHaveLength(1);
  });

  test("make one probe between them, however many callers each has", async () => {
    const breakers = openMany(50);
    const [first] = breakers;
    if (!first) throw new Error("none");
    await knockOut(first);
    await Promise.all(breakers.map(admissionOf));
    clock.advance(15_000);
    const admissions = await Promise.all(breakers.flatMap((breaker) => [1, 2, 3, 4].map(() => admissionOf(breaker))));
    expect(admissions.filter((admission) => admission === "probe")).toHaveLength(1);
    expect(new Set(admissions)).toEqual(new Set(["probe", clock.now() + 15_000]));
  });

  test("go on as soon as the probe is answered, and wait twice as long when it is not", async () => {
    const [first, second] = openMany(2);
    if (!first || !second) throw new Error("none");
    await knockOut(first);
    clock.advance(15_000);
    expect(await first.admit()).toBe("probe");
    expect(await first.failed(clock.now())).toBe(clock.now() + 30_000);
    expect(await admissionOf(second)).toBe(clock.now() + 30_000);
    expect(await readProvidersDown(state.open(clock.now), clock.now)).toEqual([
      { provider: "resend", untilMs: clock.now() + 30_000 },
    ]);
    clock.advance(30_000);
    expect(await second.admit()).toBe("probe");
    await second.answered(clock.now());
    clock.advance(1000);
    expect(await first.admit()).toBe("free");
    expect(await readProvidersDown(state.open(clock.now), clock.now)).toEqual([]);
  });

  test("do not wait for ever for the probe of one that died", async () => {
    const [dying, other] = openMany(2);
    if (!dying || !other) throw new Error("none");
    await knockOut(dying);
    clock.advance(15_000);
    expect(await dying.admit()).toBe("probe");
    clock.advance(14_999);
    expect(await admissionOf(other)).toBe(clock.now() + 1);
    clock.advance(1);
    expect(await other.admit()).toBe("probe");
  });
});

describe("the table", () => {
  test("is not written to by calls that succeed, and read about once a second", async () => {
    const { table, counts } = counting(state.open(clock.now));
    const breaker = open(table);
    for (let call = 0; call < 100; call += 1) {
      await Promise.all([breaker.admit(), breaker.admit()]);
      await breaker.answered(clock.now());
      clock.advance(100);
    }
    expect(counts).toEqual({ gets: 10, puts: 0 });
  });

  test("is written to once more by the success that ends a row of failures", async () => {
    const { table, counts } = counting(state.open(clock.now));
    const breaker = open(table);
    await breaker.failed(clock.now());
    await breaker.failed(clock.now());
    for (let call = 0; call < 10; call += 1) await breaker.answered(clock.now());
    expect(counts.puts).toBe(3);
    await breaker.failed(clock.now());
    expect(await breaker.admit()).toBe("free");
  });

  test("that fails stops nobody: the process then has a breaker of its own", async () => {
    const breaker = open(brokenTable);
    expect(await breaker.admit()).toBe("free");
    await breaker.answered(clock.now());
    await knockOut(breaker);
    expect(await admissionOf(breaker)).toBe(clock.now() + 15_000);
    clock.advance(15_000);
    expect(await breaker.admit()).toBe("probe");
    await breaker.answered(clock.now());
    expect(await breaker.admit()).toBe("free");
    expect(await readProvidersDown(brokenTable, clock.now)).toEqual([]);
  });
});

describe("in front of the pacer", () => {
  test("a call that waited there while the breaker opened is not made", async () => {
    const breaker = open();
    const paced = acquireBehind(breaker, () => knockOut(breaker));
    await expect(paced).rejects.toThrow(Deferred);
  });

  test("a probe that the pacer put off is given back", async () => {
    const breaker = open();
    await knockOut(breaker);
    clock.advance(15_000);
    await expect(acquireBehind(breaker, () => Promise.reject(new Deferred("quota", clock.now() + 1)))).rejects.toThrow(
      "quota",
    );
    expect(await breaker.admit()).toBe("probe");
  });

  test("a call while the breaker is open does not come as far as the pacer", async () => {
    const breaker = open();
    await knockOut(breaker);
    const pace = vi.fn(async () => {});
    await expect(acquireBehind(breaker, pace)).rejects.toThrow("left alone until");
    expect(pace).not.toHaveBeenCalled();
  });
});
