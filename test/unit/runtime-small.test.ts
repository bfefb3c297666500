import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { coalesce } from "../../lambdas/runtime/coalesce.ts";
import { lazy } from "../../lambdas/runtime/lazy.ts";
import { expiryAfter } from "../../lambdas/runtime/state-table.ts";
import { createClock, startState } from "./state.ts";

describe("the state table", () => {
  let state: Awaited<ReturnType<typeof startState>>;
  beforeAll(async () => {
    state = await startState();
  });
  afterAll(async () => {
    await state.close();
  });
  const key = (pk: string) => ({ pk, sk: "s" });

  test("writes under a condition and says whether it held", async () => {
    const table = state.open(Date.now);
    const absent = { expression: "attribute_not_exists(pk)" };
    expect(await table.put(key("a"), { value: 1, gone: undefined }, absent)).toBe(true);
    expect(await table.put(key("a"), { value: 2 }, absent)).toBe(false);
    expect(await table.get(key("a"))).toEqual({ ...key("a"), value: 1 });
    await table.remove(key("a"));
    expect(await table.get(key("a"))).toBeUndefined();
  });

  test("changes an item, answers it whole, and answers nothing when the condition does not hold", async () => {
    const table = state.open(Date.now);
    const change = { expression: "ADD hits :one", values: { ":one": 1, ":two": 2 } };
    const below = "attribute_not_exists(hits) OR hits < :two";
    expect(await table.update(key("b"), change, below)).toEqual({ ...key("b"), hits: 1 });
    expect(await table.update(key("b"), change, below)).toEqual({ ...key("b"), hits: 2 });
    expect(await table.update(key("b"), change, below)).toBeUndefined();
  });

  test("throws what is not about a condition", async () => {
    const table = state.open(Date.now);
    await expect(table.update(key("c"), { expression: "SET" })).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("treats an item past its expiry as gone, for reading and for making anew, since DynamoDB deletes late", async () => {
    const clock = createClock();
    const table = state.open(clock.now);
    const item = { value: 1, expiresAt: expiryAfter(clock.now(), 1) };
    expect(await table.create(key("d"), item)).toBe(true);
    clock.advance(86_400_000 - 1);
    expect(await table.create(key("d"), { value: 2 })).toBe(false);
    expect(await table.get(key("d"))).toMatchObject({ value: 1 });
    clock.advance(1);
    expect(await table.get(key("d"))).toBeUndefined();
    expect(await table.create(key("d"), { value: 3 })).toBe(true);
    expect(await table.get(key("d"))).toEqual({ ...key("d"), value: 3 });
  });

  test("of a hundred that make the same item, lets one", async () => {
    const tables = [state.open(Date.now), state.open(Date.now)];
    const made = await Promise.all(Array.from({ length: 100 }, (_, by) => tables[by % 2]?.create(key("e"), { by })));
    expect(made.filter(Boolean)).toHaveLength(1);
  });
});

describe("coalesce", () => {
  test("makes one call of those of one turn, and gives each its own result", async () => {
    const calls: number[][] = [];
    const double = coalesce(async (items: number[]) => {
      calls.push(items);
      return items.map((item) => item * 2);
    });
    expect(await Promise.all([double(1), Promise.resolve().then(() => double(2)), double(3)])).toEqual([2, 4, 6]);
    expect(await double(4)).toBe(8);
    expect(calls).toEqual([[1, 3, 2], [4]]);
  });

  test("gives an error to everyone, and misses no result in silence", async () => {
    const failing = coalesce(async (_items: number[]): Promise<number[]> => Promise.reject(new Error("down")));
    expect((await Promise.allSettled([failing(1), failing(2)])).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    const short = coalesce(async (items: number[]) => items.slice(1));
    const [one, two] = await Promise.allSettled([short(1), short(2)]);
    expect(one).toMatchObject({ status: "fulfilled", value: 2 });
    expect(two).toMatchObject({ status: "rejected", reason: { message: "No result for item 1 of 2" } });
  });
});

describe("lazy", () => {
  test("builds once, on first use, however many ask at once", async () => {
    let builds = 0;
    const get = lazy(async () => {
      builds += 1;
      return builds;
    });
    expect(builds).toBe(0);
    expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
  });

  test("forgets a failed build", async () => {
    let builds = 0;
    const get = lazy(async () => {
      builds += 1;
      if (builds === 1) throw new Error("no secret yet");
      return builds;
    });
    await expect(get()).rejects.toThrow("no secret yet");
    expect(await get()).toBe(2);
  });

  test("builds anew once what it built may hold a secret that was rotated", async () => {
    const clock = createClock();
    let builds = 0;
    const get = lazy(async () => ++builds, { maximumAgeMs: 300_000, now: clock.now });
    expect(await get()).toBe(1);
    clock.advance(299_999);
    expect(await get()).toBe(1);
    clock.advance(1);
    expect(await get()).toBe(2);
    expect(await get()).toBe(2);
  });
});
