/** When a provider that fails is left alone, and for how long; from `registry/providers.ts`. */
export interface BreakerBudget {
  /** So many failures in a row open the breaker. */
  failures: number;
  /** A failure longer ago than this does not count any more. */
  withinSeconds: number;
  /** How long it is left alone at first; each failed probe doubles it. */
  openSeconds: number;
  longestOpenSeconds: number;
}

/** What all callers of a provider share about its health. Times are epoch milliseconds. */
export interface BreakerState {
  /** Failures since the last success that somebody told of. */
  failures: number;
  lastFailureMs: number;
  /** 0 while the breaker is closed. */
  openMs: number;
  /** When a probe may be made. */
  openUntilMs: number;
  /** The one call that finds out whether the provider is back; it ends at the latest with its lease. */
  probe: { caller: string; sinceMs: number; untilMs: number } | null;
  /** Failures of calls begun before this belong to an outage that is over. */
  closedSinceMs: number;
}

export const closedBreaker: BreakerState = {
  failures: 0,
  lastFailureMs: 0,
  openMs: 0,
  openUntilMs: 0,
  probe: null,
  closedSinceMs: 0,
};

export type Admission =
  | { kind: "free" }
  /** Store `state` if nobody else did meanwhile; then the caller's next call is the probe. */
  | { kind: "probe"; state: BreakerState }
  | { kind: "rest"; untilMs: number };

/** Whether a call may be made now. `leaseMs` is longer than any call takes: a probe without an end by then has died. */
export function decideAdmission(
  state: BreakerState,
  { caller, leaseMs, nowMs }: { caller: string; leaseMs: number; nowMs: number },
): Admission {
  if (state.openMs === 0) return { kind: "free" };
  const restMs = restUntilMs(state);
  if (nowMs < restMs) return { kind: "rest", untilMs: restMs };
  return { kind: "probe", state: { ...state, probe: { caller, sinceMs: nowMs, untilMs: nowMs + leaseMs } } };
}

/** Until when nobody else may call; in the past when a probe is due or the breaker is closed. */
export const restUntilMs = ({ openUntilMs, probe }: BreakerState): number => probe?.untilMs ?? openUntilMs;

/** A call that came to an end: who made it, and when it was begun. */
export interface EndedCall {
  caller: string;
  startedMs: number;
  nowMs: number;
}

/** The state after the provider answered; the same state when that is no news. */
export function afterAnswer(state: BreakerState, { caller, startedMs, nowMs }: EndedCall): BreakerState {
  if (state.openMs === 0) return state.failures === 0 ? state : { ...state, failures: 0 };
  return isProbe(state, caller, startedMs) ? { ...closedBreaker, closedSinceMs: nowMs } : state;
}

/** The state after the provider did not answer, or with a failure of its own; the same state when that is no news. */
export function afterFailure(
  state: BreakerState,
  budget: BreakerBudget,
  { caller, startedMs, nowMs }: EndedCall,
): BreakerState {
  const opened = (openMs: number): BreakerState => ({
    ...state,
    lastFailureMs: nowMs,
    openMs,
    openUntilMs: nowMs + openMs,
    probe: null,
  });
  if (state.openMs > 0)
    return isProbe(state, caller, startedMs)
      ? opened(Math.min(state.openMs * 2, budget.longestOpenSeconds * 1000))
      : state;
  if (startedMs < state.closedSinceMs) return state;
  const isStreak = nowMs - state.lastFailureMs <= budget.withinSeconds * 1000;
  const failures = isStreak ? state.failures + 1 : 1;
  if (failures >= budget.failures) return { ...opened(budget.openSeconds * 1000), failures };
  return { ...state, failures, lastFailureMs: nowMs };
}

/** The state after a probe that was not made after all: the next caller may make one. */
export const afterProbeUnmade = (state: BreakerState, caller: string): BreakerState =>
  state.probe?.caller === caller ? { ...state, probe: null } : state;

/** A call that was begun before the breaker opened tells nothing of the time since. */
function isProbe({ probe }: BreakerState, caller: string, startedMs: number): boolean {
  return probe !== null && probe.caller === caller && startedMs >= probe.sinceMs;
}
