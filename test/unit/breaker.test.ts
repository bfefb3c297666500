import { describe, expect, test } from "vitest";
import { backoffSeconds } from "../../lambdas/core/backoff.ts";
import {
  afterAnswer,
  afterFailure,
  afterProbeUnmade,
  type BreakerState,
  closedBreaker,
  decideAdmission,
} from "../../lambdas/core/breaker.ts";
import { entriesOf } from "../../lambdas/core/record.ts";
import { type ProviderRecord, providers } from "../../registry/providers.ts";
import { type QueueRecord, queues } from "../../registry/queues.ts";

const budget = { failures: 3, withinSeconds: 60, openSeconds: 15, longestOpenSeconds: 100 };
const leaseMs = 12_000;
const start = Date.parse("2026-03-02T09:00:00Z");
const at = (seconds: number) => start + seconds * 1000;

const failed = (state: BreakerState, second: number, { caller = "a", begunAt = second } = {}) =>
  afterFailure(state, budget, { caller, startedMs: at(begunAt), nowMs: at(second) });
const answered = (state: BreakerState, second: number, { caller = "a", begunAt = second } = {}) =>
  afterAnswer(state, { caller, startedMs: at(begunAt), nowMs: at(second) });
const asked = (state: BreakerState, second: number, caller = "a") =>
  decideAdmission(state, { caller, leaseMs, nowMs: at(second) });

const open = [0, 1, 2].reduce((state, second) => failed(state, second), closedBreaker);
function probing(state: BreakerState, second: number, caller = "a"): BreakerState {
  const decision = asked(state, second, caller);
  if (decision.kind !== "probe") throw new Error(`no probe at ${second}: ${decision.kind}`);
  return decision.state;
}

describe("a breaker", () => {
  test("opens with the last of as many failures in a row as the budget has", () => {
    expect(asked(failed(failed(closedBreaker, 0), 1), 1)).toEqual({ kind: "free" });
    expect(asked(open, 2)).toEqual({ kind: "rest", untilMs: at(17) });
  });

  test("begins to count anew after a success, and after a failure that is long ago", () => {
    const twice = failed(failed(closedBreaker, 0), 1);
    expect(failed(answered(twice, 2), 3)).toMatchObject({ openMs: 0, failures: 1 });
    expect(failed(twice, 62)).toMatchObject({ openMs: 0, failures: 1 });
    expect(failed(twice, 61).openMs).toBe(15_000);
  });

  test("costs nothing while calls succeed: the state stays the same", () => {
    expect(answered(closedBreaker, 5)).toBe(closedBreaker);
  });

  test("lets one call through when its time is over, and nobody else until that one's lease ends", () => {
    const half = probing(open, 17);
    for (const caller of ["a", "b"]) expect(asked(half, 20, caller)).toEqual({ kind: "rest", untilMs: at(29) });
    expect(asked(half, 29, "b").kind).toBe("probe");
  });

  test("closes with the answer to the probe", () => {
    const closed = answered(probing(open, 17), 18, { begunAt: 17 });
    expect(asked(closed, 18, "b")).toEqual({ kind: "free" });
    expect(closed.failures).toBe(0);
  });

  test("stays open twice as long after each failed probe, up to the longest", () => {
    let state = open;
    let second = 2;
    const restSeconds: number[] = [];
    for (let probe = 0; probe < 5; probe += 1) {
      second = state.openUntilMs / 1000 - start / 1000;
      state = failed(probing(state, second), second + 1, { begunAt: second });
      restSeconds.push((state.openUntilMs - at(second + 1)) / 1000);
    }
    expect(restSeconds).toEqual([30, 60, 100, 100, 100]);
    const again = answered(probing(state, second + 200), second + 201, { begunAt: second + 200 });
    const reopened = [1, 2, 3].reduce((each, more) => failed(each, second + 300 + more), again);
    expect(reopened.openMs).toBe(15_000);
  });

  test("is moved by the probe alone, not by calls that were begun before, nor by others' calls", () => {
    const half = probing(open, 17);
    expect(answered(open, 10, { begunAt: 1 })).toBe(open);
    expect(failed(open, 10, { begunAt: 1 })).toBe(open);
    expect(answered(half, 18, { begunAt: 1 })).toBe(half);
    expect(failed(half, 18, { begunAt: 1 })).toBe(half);
    expect(answered(half, 18, { caller: "b" })).toBe(half);
    expect(failed(half, 18, { caller: "b" })).toBe(half);
    const taken = probing(half, 30, "b");
    expect(failed(taken, 31, { begunAt: 17 })).toBe(taken);
  });

  test("does not count failures of an outage that is over", () => {
    const closed = answered(probing(open, 17), 18, { begunAt: 17 });
    expect(failed(closed, 20, { begunAt: 1 })).toBe(closed);
    expect(failed(closed, 20).failures).toBe(1);
  });

  test("gives the probe to the next one when it was not made", () => {
    const half = probing(open, 17);
    expect(asked(afterProbeUnmade(half, "a"), 18, "b").kind).toBe("probe");
    expect(afterProbeUnmade(half, "b")).toBe(half);
  });
});

describe("the registry's budgets", () => {
  const pairs = entriesOf<string, QueueRecord>(queues).flatMap(([queue, record]) =>
    record.uses.providers.flatMap((provider) => {
      const { breaker }: ProviderRecord = providers[provider];
      return breaker ? [{ queue, record, provider, breaker }] : [];
    }),
  );

  test.each(pairs)(
    "let a lone message of $queue open the breaker of $provider before its attempts are used up",
    ({ record, breaker }) => {
      expect(breaker.failures).toBeLessThanOrEqual(record.maxReceiveCount);
      const pauses = Array.from({ length: breaker.failures - 1 }, (_, index) =>
        backoffSeconds(index + 1, record.backoffBaseSeconds, 0.999),
      );
      expect(Math.max(...pauses)).toBeLessThan(breaker.withinSeconds);
    },
  );
});
