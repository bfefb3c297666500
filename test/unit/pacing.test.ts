import { describe, expect, test } from "vitest";
import {
  afterAnswer,
  afterOverrun,
  begunLate,
  decidePacing,
  firstJitterMs,
  firstState,
  lastLeaveMs,
  leastJitterMs,
  mayStillLeave,
  type PacerDecision,
  type PacerState,
} from "../../lambdas/core/pacing.ts";

const start = Date.parse("2026-03-02T09:00:00Z");

/** In the middle of a window of which four calls are used. */
const state: PacerState = {
  ...firstState(10),
  window: 7,
  windowStartMs: start,
  windowEndMs: start + 1000 + leastJitterMs,
  used: 4,
  jitterMs: leastJitterMs,
  bulkServedMs: start,
};
const bulk = (count: number) => ({ urgent: [], bulk: count });
const urgent = (...marks: (number | undefined)[]) => ({
  urgent: marks.map((markedIn) => (markedIn === undefined ? {} : { markedIn })),
  bulk: 0,
});

/** How many calls a decision lets go, 0 for none. */
const granted = (decision: PacerDecision): number => (decision.kind === "grant" ? decision.calls.length : 0);
/** The state a decision stores. */
function stored(decision: PacerDecision): PacerState {
  if (decision.kind === "wait") throw new Error(`it waits until ${decision.untilMs - start}`);
  return decision.state;
}

describe("a decision", () => {
  test("grants what is left of the window, however much is wanted", () => {
    const nowMs = start + 500;
    expect(decidePacing(state, { wanted: bulk(3), nowMs })).toMatchObject({ kind: "grant", state: { used: 7 } });
    expect(granted(decidePacing(state, { wanted: bulk(50), nowMs }))).toBe(6);
    expect(decidePacing({ ...state, used: 10 }, { wanted: bulk(1), nowMs })).toMatchObject({
      kind: "wait",
      reason: "window",
    });
  });

  test("reserves the next window shortly before it begins, and its calls leave no earlier", () => {
    const full = { ...state, used: 10 };
    const decision = decidePacing(full, { wanted: bulk(1), nowMs: full.windowEndMs - 20 });
    if (decision.kind !== "grant") throw new Error(decision.kind);
    expect(decision.state).toMatchObject({ window: 8, windowStartMs: full.windowEndMs, used: 1 });
    expect(decision.calls[0]?.leaveMs).toBe(full.windowEndMs);
    expect(decidePacing(full, { wanted: bulk(1), nowMs: full.windowEndMs - 100 }).kind).toBe("wait");
  });

  test("grants nothing at the end of a window, where a late call could open the provider's next one early", () => {
    for (const nowMs of [lastLeaveMs(state), lastLeaveMs(state) - 1])
      expect(decidePacing(state, { wanted: bulk(1), nowMs }).kind).toBe("wait");
  });

  test("lets half of a window's bulk calls leave at once and the others one after the other", () => {
    const decision = decidePacing(state, { wanted: bulk(10), nowMs: state.windowEndMs + 1 });
    if (decision.kind !== "grant") throw new Error(decision.kind);
    const leaves = decision.calls.map(({ leaveMs }) => leaveMs - decision.state.windowStartMs);
    expect(leaves.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
    for (const [index, leave] of leaves.slice(5).entries()) expect(leave).toBeGreaterThan(leaves[index + 4] ?? -1);
    expect(decision.state.windowStartMs + (leaves.at(-1) ?? 0)).toBeLessThan(lastLeaveMs(decision.state));
  });

  test("waits out a pause even when the window is empty", () => {
    const paused = { ...state, pausedUntilMs: start + 60_000 };
    expect(decidePacing(paused, { wanted: bulk(1), nowMs: start + 59_999 })).toEqual({
      kind: "wait",
      untilMs: start + 60_000,
      reason: "pause",
    });
    expect(decidePacing(paused, { wanted: bulk(1), nowMs: start + 60_000 }).kind).toBe("grant");
  });

  test("lets at least one call a second through, whatever limit was learned", () => {
    expect(granted(decidePacing({ ...state, limit: 0.2 }, { wanted: bulk(5), nowMs: start + 5000 }))).toBe(1);
  });

  test("is not held up by a window that a wrong clock opened far ahead", () => {
    const ahead = { ...state, windowStartMs: start + 60_000, windowEndMs: start + 61_000 };
    expect(granted(decidePacing(ahead, { wanted: bulk(1), nowMs: start }))).toBe(1);
  });
});

describe("urgent calls", () => {
  const full = { ...state, used: 10 };

  test("leave a mark in a full window, and as many calls of the next one are kept for them", () => {
    const marked = decidePacing(full, { wanted: urgent(undefined, undefined), nowMs: start + 500 });
    expect(marked).toMatchObject({ kind: "mark", state: { urgentWaiting: 2 } });
    const next = full.windowEndMs - 10;
    const forBulk = decidePacing(stored(marked), { wanted: bulk(50), nowMs: next });
    expect(granted(forBulk)).toBe(8);
    const forUrgent = decidePacing(stored(forBulk), { wanted: urgent(7, 7), nowMs: next + 5 });
    expect(granted(forUrgent)).toBe(2);
    expect(stored(forUrgent)).toMatchObject({ used: 10, urgentKept: 0 });
  });

  test("mark a window once", () => {
    const marked = stored(decidePacing(full, { wanted: urgent(undefined), nowMs: start + 500 }));
    expect(decidePacing(marked, { wanted: urgent(7), nowMs: start + 600 }).kind).toBe("wait");
  });

  test("whose function died cost the calls of one window, no more", () => {
    const marked = stored(decidePacing(full, { wanted: urgent(undefined), nowMs: start + 500 }));
    const first = decidePacing(marked, { wanted: bulk(50), nowMs: marked.windowEndMs });
    expect(granted(first)).toBe(9);
    expect(granted(decidePacing(stored(first), { wanted: bulk(50), nowMs: stored(first).windowEndMs }))).toBe(10);
  });

  test("without end do not keep bulk calls out for ever", () => {
    let now: PacerState = state;
    let nowMs = start;
    let served = 0;
    for (let window = 0; window < 20; window += 1) {
      nowMs = now.windowEndMs;
      // More urgent calls than the window has room for, and then a bulk caller's try.
      now = stored(decidePacing(now, { wanted: urgent(...Array(30).fill(now.window)), nowMs }));
      const marks = decidePacing(now, { wanted: urgent(...Array(30).fill(undefined)), nowMs: nowMs + 50 });
      if (marks.kind !== "wait") now = marks.state;
      const forBulk = decidePacing(now, { wanted: bulk(1), nowMs: nowMs + 100 });
      served += granted(forBulk);
      if (forBulk.kind !== "wait") now = forBulk.state;
    }
    expect(served).toBeGreaterThanOrEqual(2);
    expect(served).toBeLessThanOrEqual(5);
  });
});

describe("a call that was reserved", () => {
  const call = { window: 7, number: 6, nowMs: start + 300 };

  test("leaves unless a pause or a lower limit overtook it", () => {
    expect(mayStillLeave(state, call)).toBe(true);
    expect(mayStillLeave({ ...state, limit: 5 }, call)).toBe(false);
    expect(mayStillLeave({ ...state, pausedUntilMs: start + 1000 }, call)).toBe(false);
    expect(mayStillLeave({ ...state, window: 8 }, call)).toBe(false);
  });

  test("and left late begins the window later for the provider", () => {
    expect(begunLate(state, 70).windowEndMs).toBe(start + 1070);
    expect(begunLate(state, 5).windowEndMs).toBe(state.windowEndMs);
  });
});

describe("what the provider's answers teach", () => {
  test("a lower limit at once; a higher one not from an answer that was overtaken", () => {
    const lowered = afterAnswer(state, 5, start);
    expect(lowered).toMatchObject({ limit: 5, loweredMs: start });
    expect(afterAnswer(lowered ?? state, 10, start + 500)).toBeUndefined();
    expect(afterAnswer(lowered ?? state, 10, start + 1500)).toMatchObject({ limit: 10 });
    expect(afterAnswer(state, 10, start)).toBeUndefined();
  });

  test("an overrun spreads the calls, once for all of a window's refusals, and they come closer again", () => {
    let now = afterOverrun(state, start + 100);
    expect(now.jitterMs).toBe(leastJitterMs * 2);
    expect(afterOverrun(now, start + 200).jitterMs).toBe(leastJitterMs * 2);
    for (let window = 0; window < 200; window += 1)
      now = stored(decidePacing(now, { wanted: bulk(1), nowMs: now.windowEndMs }));
    expect(now.jitterMs).toBe(leastJitterMs);
  });

  test("a refusal that a lower limit explains spreads nothing", () => {
    const lowered = afterAnswer(state, 5, start) ?? state;
    expect(afterOverrun(lowered, start + 300)).toEqual(lowered);
  });

  test("nothing at first: the calls are spread, and come closer within some windows of calm", () => {
    let now = stored(decidePacing(firstState(10), { wanted: bulk(1), nowMs: start }));
    expect(now.jitterMs).toBe(firstJitterMs);
    for (let window = 0; window < 8; window += 1)
      now = stored(decidePacing(now, { wanted: bulk(1), nowMs: now.windowEndMs }));
    expect(now.jitterMs).toBe(leastJitterMs);
  });
});
