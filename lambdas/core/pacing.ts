/**
 * When calls to a provider may leave, so that its rate limit holds whoever makes them.
 *
 * Resend counts in windows of one second that begin with the first call after the previous one ended. Ours begin with
 * the first reservation and are longer than the provider's by the jitter, so two of ours never fall into one of its.
 * The last part of a window, where a late arrival could open the provider's next one early, is not used.
 *
 * A window is reserved shortly before it begins, so that neither the table nor a crowd of callers decides when its
 * calls leave. Half of a window's calls leave at once, the others one after the other: when the provider has lowered
 * its limit, the first refusal stops those that have not left.
 */

/** What all callers of a provider share about its rate limit. Times are epoch milliseconds. */
export interface PacerState {
  /** Numbers the windows, so that a mark can name the one it was left in. */
  window: number;
  /** Nobody calls earlier. It lies ahead while the window is reserved and not yet begun. */
  windowStartMs: number;
  /** The next window begins no earlier. */
  windowEndMs: number;
  /** Calls reserved in this window. */
  used: number;
  /** Calls the provider allows per second, as last learned. */
  limit: number;
  /** When the limit was last lowered; 0 for never. */
  loweredMs: number;
  /** Nobody calls before this. */
  pausedUntilMs: number;
  /** How much later than together the calls of one window may arrive: network jitter plus what clocks differ. */
  jitterMs: number;
  /** When a paced call was last refused without a lower limit explaining it; 0 for never. */
  overrunMs: number;
  /** Urgent calls that found no room in this window: as many of the next one are kept for them. */
  urgentWaiting: number;
  /** Calls of this window kept for urgent ones that waited in the one before. */
  urgentKept: number;
  /** 1 when bulk calls got nothing for so long that the next window keeps one for them. */
  bulkWaiting: number;
  bulkKept: number;
  /** When a bulk call was last let through. */
  bulkServedMs: number;
}

/** Covers network jitter of 20 ms and what a busy machine adds; leaves 97.2 % of the rate. */
export const leastJitterMs = 28;
/** To begin with, and after a rest: connections are cold, and nothing is known of the machine. */
export const firstJitterMs = 100;
/** Beyond this it is not jitter any more, and a fifth of the rate is lost already. */
const mostJitterMs = 250;
/** What each window leaves of an enlarged jitter: quickly in the beginning, slowly once it has proved too small. */
const jitterDecay = { calm: 0.8, afterOverrun: 0.98 };
const overrunRememberedMs = 600_000;
/** Connections that were not used for so long are closed. */
const restMs = 5000;
/** Room for all callers to reserve calls of the next window before it begins. */
const leadMs = 40;
/** Room for the reservation that opens a window after a rest, so that its calls leave on time. */
const openingMs = 10;
/** A window opened this much later than it could is not the one for which marks were left. */
const markLifeMs = 1000;
/** Bulk calls that got nothing for so long get one call. */
const bulkPatienceMs = 5000;
/** Longest useful distance of calls that leave one after the other: an answer is back by then. */
const mostSpacingMs = 150;
/** A window this far ahead was opened by a caller whose clock is wrong; waiting for it would stop everybody. */
const clockToleranceMs = 2000;

/** The state before the first call. */
export const firstState = (callsPerSecond: number): PacerState => ({
  window: 0,
  windowStartMs: 0,
  windowEndMs: 0,
  used: 0,
  limit: callsPerSecond,
  loweredMs: 0,
  pausedUntilMs: 0,
  jitterMs: firstJitterMs,
  overrunMs: 0,
  urgentWaiting: 0,
  urgentKept: 0,
  bulkWaiting: 0,
  bulkKept: 0,
  bulkServedMs: 0,
});

/** The calls a caller has in hand. */
export interface Wanted {
  /** One for each urgent call, with the window in which it left a mark. */
  urgent: readonly { markedIn?: number }[];
  bulk: number;
}

export interface ReservedCall {
  /** Its place among the calls of the window, from 1. */
  number: number;
  /** When it leaves; past times mean at once. An urgent call may take the place of any call once the window began. */
  leaveMs: number;
}

export type PacerDecision =
  /** Store `state` if nobody else did meanwhile; then make the calls, urgent ones first. */
  | { kind: "grant"; state: PacerState; calls: ReservedCall[] }
  /** Store `state` likewise and decide again: urgent calls without a mark have one in its window now. */
  | { kind: "mark"; state: PacerState }
  | { kind: "wait"; untilMs: number; reason: "window" | "pause" };

/** What a caller does about the calls it wants to make. */
export function decidePacing(state: PacerState, { wanted, nowMs }: { wanted: Wanted; nowMs: number }): PacerDecision {
  if (state.pausedUntilMs > nowMs) return { kind: "wait", untilMs: state.pausedUntilMs, reason: "pause" };
  const fromWrongClock = state.windowStartMs > nowMs + clockToleranceMs;
  const isNew = nowMs >= state.windowEndMs - leadMs || fromWrongClock;
  const window = isNew ? nextWindow(state, nowMs, fromWrongClock) : state;
  const shares = nowMs < lastGrantMs(window) ? shareOut(window, wanted) : { urgent: 0, bulk: 0, urgentKept: 0 };

  if (shares.urgent + shares.bulk > 0) {
    const { used } = window;
    const calls = [
      ...numbersAfter(used, shares.urgent).map((number) => ({ number, leaveMs: window.windowStartMs })),
      ...numbersAfter(used + shares.urgent, shares.bulk).map((number) => ({
        number,
        leaveMs: leaveMs(window, number),
      })),
    ];
    const servesBulk = shares.bulk > 0;
    return {
      kind: "grant",
      calls,
      state: {
        ...window,
        used: used + calls.length,
        urgentKept: shares.urgentKept,
        bulkKept: servesBulk ? 0 : window.bulkKept,
        bulkServedMs: servesBulk ? nowMs : window.bulkServedMs,
      },
    };
  }

  const unmarked = wanted.urgent.filter(({ markedIn }) => markedIn !== window.window).length;
  const bulkStarves = wanted.bulk > 0 && nowMs - window.bulkServedMs >= bulkPatienceMs && window.bulkWaiting === 0;
  // A new window whose calls are all kept for others is stored too, so that it comes and goes when they died.
  if (isNew || unmarked > 0 || bulkStarves) {
    return {
      kind: "mark",
      state: {
        ...window,
        urgentWaiting: window.urgentWaiting + unmarked,
        bulkWaiting: bulkStarves ? 1 : window.bulkWaiting,
      },
    };
  }
  return { kind: "wait", untilMs: window.windowEndMs - leadMs, reason: "window" };
}

function nextWindow(state: PacerState, nowMs: number, fromWrongClock: boolean): PacerState {
  const lateMs = nowMs - state.windowEndMs;
  const marksCount = lateMs < markLifeMs;
  const bulkKept = marksCount ? state.bulkWaiting : 0;
  const windowStartMs = fromWrongClock ? nowMs + openingMs : Math.max(nowMs + openingMs, state.windowEndMs);
  const jitterMs = lateMs > restMs ? Math.max(firstJitterMs, state.jitterMs) : calmerJitterMs(state, nowMs);
  return {
    ...state,
    window: state.window + 1,
    windowStartMs,
    windowEndMs: windowStartMs + 1000 + jitterMs,
    used: 0,
    jitterMs,
    bulkWaiting: 0,
    bulkKept,
    urgentWaiting: 0,
    urgentKept: marksCount ? Math.min(state.urgentWaiting, wholeLimit(state) - bulkKept) : 0,
  };
}

/** Marked urgent calls first; then urgent ones and then bulk, without what is kept for others. */
function shareOut(state: PacerState, { urgent, bulk }: Wanted) {
  const room = Math.max(0, wholeLimit(state) - state.used);
  const marked = Math.min(
    urgent.filter(({ markedIn }) => markedIn === state.window - 1).length,
    Math.max(0, room - state.bulkKept),
  );
  const urgentKept = Math.max(0, state.urgentKept - marked);
  const others = urgent.filter(({ markedIn }) => markedIn !== state.window - 1).length;
  const unmarked = Math.min(others, Math.max(0, room - marked - urgentKept - state.bulkKept));
  return {
    urgent: marked + unmarked,
    bulk: Math.min(bulk, Math.max(0, room - marked - unmarked - urgentKept)),
    urgentKept,
  };
}

/** When the bulk call with this number in the window leaves. */
function leaveMs(state: PacerState, number: number): number {
  const limit = wholeLimit(state);
  const together = Math.max(2, Math.ceil(limit / 2));
  const spreadMs = lastGrantMs(state) - 100 - state.windowStartMs;
  const spacingMs = Math.min(mostSpacingMs, spreadMs / Math.max(1, limit - together));
  return state.windowStartMs + Math.max(0, number - together) * spacingMs;
}

/** Until when a call may leave in this window; a reservation that took longer is void. */
export function lastLeaveMs({ windowStartMs, jitterMs }: PacerState): number {
  return windowStartMs + 1000 - Math.max(100, jitterMs);
}

const lastGrantMs = (state: PacerState) => lastLeaveMs(state) - 100;

/** Whether a call that was reserved in `window` and has not left may still leave, by what is known now. */
export function mayStillLeave(state: PacerState, call: { window: number; number: number; nowMs: number }): boolean {
  const { window, number, nowMs } = call;
  return state.window === window && state.pausedUntilMs <= nowMs && number <= wholeLimit(state);
}

/** The state when the first call of its window came so late to the provider, whose window then ends later, too. */
export function begunLate(state: PacerState, lateMs: number): PacerState {
  return { ...state, windowEndMs: Math.max(state.windowEndMs, state.windowStartMs + 1000 + lateMs) };
}

/** The state with the limit of an answer; undefined when there is nothing to learn from it. */
export function afterAnswer(state: PacerState, limit: number, nowMs: number): PacerState | undefined {
  if (limit === state.limit) return undefined;
  if (limit < state.limit) return { ...state, limit, loweredMs: nowMs };
  // Answers overtake each other: this one may be from before the limit was lowered.
  return nowMs - state.loweredMs < 1000 ? undefined : { ...state, limit };
}

/**
 * The state after the provider refused a call although it was paced: calls arrive further apart than was thought, as
 * they do from a function that is short of CPU. Not when the limit was lowered just now, which explains the refusal.
 */
export function afterOverrun(state: PacerState, nowMs: number): PacerState {
  if (nowMs - state.loweredMs < 2000) return state;
  // Several calls of one window were refused for one reason.
  if (nowMs - state.overrunMs < 1000) return state;
  return { ...state, overrunMs: nowMs, jitterMs: Math.min(mostJitterMs, state.jitterMs * 2) };
}

function calmerJitterMs(state: PacerState, nowMs: number): number {
  const remembered = nowMs - state.overrunMs < overrunRememberedMs;
  return Math.max(leastJitterMs, state.jitterMs * (remembered ? jitterDecay.afterOverrun : jitterDecay.calm));
}

const wholeLimit = ({ limit }: PacerState) => Math.max(1, Math.floor(limit));

const numbersAfter = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index + 1);
