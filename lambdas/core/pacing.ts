/** What all callers of a provider share about its rate limit. Times are epoch milliseconds. */
export interface PacerState {
  windowStartMs: number;
  /** Calls reserved in this window. */
  used: number;
  /** Calls the provider allows per second, as last learned. */
  limit: number;
  /** Nobody calls before this. */
  pausedUntilMs: number;
  /** How much later than together the calls of one window may arrive: network jitter plus what clocks differ. */
  jitterMs: number;
}

/** Covers network jitter of 20 ms at no more than 2 % of the rate. */
export const leastJitterMs = 20;
/** To begin with: connections are cold, and nothing is known of the machine yet. */
export const firstJitterMs = 100;
/** Beyond this it is not jitter any more, and a fifth of the rate is lost already. */
const mostJitterMs = 250;
/** What is left of an enlarged jitter after each window without an overrun. */
const jitterDecay = 0.98;

export type PacerDecision =
  /** Store `state` if nobody else did meanwhile; then make `granted` calls. */
  { kind: "grant"; granted: number; state: PacerState } | { kind: "wait"; untilMs: number; reason: "window" | "pause" };

/**
 * How many of the wanted calls may go out now.
 *
 * Resend counts in windows of one second that begin with the first call after the previous one ended. Ours begin with
 * the first reservation and are longer than the provider's by the jitter, so two of ours never fall into one of its.
 * The end of a window, where a late arrival could open the provider's next one early, is not used.
 */
export function decidePacing(state: PacerState, { wanted, nowMs }: { wanted: number; nowMs: number }): PacerDecision {
  if (state.pausedUntilMs > nowMs) return { kind: "wait", untilMs: state.pausedUntilMs, reason: "pause" };
  const limit = Math.max(1, Math.floor(state.limit));
  const windowEndMs = state.windowStartMs + 1000 + state.jitterMs;
  if (nowMs >= windowEndMs) {
    const granted = Math.min(wanted, limit);
    return { kind: "grant", granted, state: { ...calmer(state), windowStartMs: nowMs, used: granted } };
  }
  const granted = nowMs < usableEndMs(state) ? Math.min(wanted, limit - state.used) : 0;
  if (granted <= 0) return { kind: "wait", untilMs: windowEndMs, reason: "window" };
  return { kind: "grant", granted, state: { ...state, used: state.used + granted } };
}

/** Until when a call may leave in this window; a grant that arrives later is void. */
export function usableEndMs({ windowStartMs, jitterMs }: PacerState): number {
  return windowStartMs + 1000 - jitterMs;
}

/**
 * The state after the provider refused a call although it was paced: calls arrive further apart than was thought, as
 * they do from a function that is short of CPU.
 */
export function afterOverrun(state: PacerState): PacerState {
  return { ...state, jitterMs: Math.min(mostJitterMs, state.jitterMs * 2) };
}

/**
 * The state when the reservation that opened a window took longer than the jitter to be stored: the calls leave only
 * now, so the window is counted from now.
 */
export function anchoredAt(state: PacerState, nowMs: number): PacerState {
  return { ...state, windowStartMs: nowMs };
}

function calmer(state: PacerState): PacerState {
  return { ...state, jitterMs: Math.max(leastJitterMs, state.jitterMs * jitterDecay) };
}
