import { Deferred } from "./outcome.ts";
import { ProviderUnavailable } from "./provider-failure.ts";

/**
 * A waiting run looks again at least this often: what it waits for may be over early, and the lease that it holds
 * meanwhile must not outlive a stopped run by much.
 */
const longestNapMs = 10 * 60_000;
/** A pause that is nearly over must not send the machine round and round. */
const shortestNapMs = 5_000;

/** Which run it is that cannot go on, and how long it may try. All times are epoch milliseconds. */
export interface Patience {
  nowMs: number;
  /** What is not possible before this is not waited for: the machine's own time would be over. */
  giveUpMs: number;
}

/**
 * When a run looks again after `error`; undefined when the error is none that waiting mends, or not in time. Whole
 * seconds, as a Wait state has them.
 */
export function napAfter(error: unknown, { nowMs, giveUpMs }: Patience): number | undefined {
  const untilMs = restOf(error);
  if (untilMs === undefined || untilMs > giveUpMs) return undefined;
  const napMs = Math.min(longestNapMs, Math.max(shortestNapMs, untilMs - nowMs));
  return Math.ceil((nowMs + napMs) / 1000) * 1000;
}

/** Until when a provider takes no calls, as the error of a call says; undefined for an error of another kind. */
export function restOf(error: unknown): number | undefined {
  if (error instanceof Deferred) return error.untilMs;
  return error instanceof ProviderUnavailable ? error.restUntilMs : undefined;
}
