/** What all callers of a provider share about its rate limit. Times are epoch milliseconds. */
export interface PacerState {
  windowStartMs: number;
  /** Calls reserved in this window. */
  used: number;
  /** Calls the provider allows per second, as last learned. */
  limit: number;
  /** Nobody calls before this. */
  pausedUntilMs: number;
}

export interface PacingOptions {
  /** How far apart in time callers' calls may arrive although they were made together, plus how far their clocks differ. */
  jitterMs: number;
}

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
export function decidePacing(
  state: PacerState,
  { wanted, nowMs, jitterMs }: { wanted: number; nowMs: number } & PacingOptions,
): PacerDecision {
  if (state.pausedUntilMs > nowMs) return { kind: "wait", untilMs: state.pausedUntilMs, reason: "pause" };
  const limit = Math.max(1, Math.floor(state.limit));
  const windowEndMs = state.windowStartMs + 1000 + jitterMs;
  if (nowMs >= windowEndMs) {
    const granted = Math.min(wanted, limit);
    return { kind: "grant", granted, state: { ...state, windowStartMs: nowMs, used: granted } };
  }
  const usableEndMs = windowEndMs - 2 * jitterMs;
  const granted = nowMs < usableEndMs ? Math.min(wanted, limit - state.used) : 0;
  if (granted <= 0) return { kind: "wait", untilMs: windowEndMs, reason: "window" };
  return { kind: "grant", granted, state: { ...state, used: state.used + granted } };
}
