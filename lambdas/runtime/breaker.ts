import { randomUUID } from "node:crypto";
import * as z from "zod";
import { type ProviderName, providers } from "../../registry/providers.ts";
import {
  afterAnswer,
  afterFailure,
  afterProbeUnmade,
  type BreakerBudget,
  type BreakerState,
  closedBreaker,
  decideAdmission,
  restUntilMs,
} from "../core/breaker.ts";
import { Deferred } from "../core/outcome.ts";
import { entriesOf } from "../core/record.ts";
import { describeError, log } from "./logger.ts";
import { signal } from "./metrics.ts";
import type { StateTable } from "./state-table.ts";

/**
 * What keeps the station from calling a provider that is down, shared by all functions through one item of the state
 * table. It never fails for reasons of its own: without the table each process has a breaker of its own.
 */
export interface Breaker {
  /**
   * Resolves when a call may be made: `probe` when the provider was down and this call, and no other, finds out whether
   * it is back. Throws Deferred until the next probe is due.
   */
  admit(): Promise<"free" | "probe">;
  /** The same by what this process knows already: for a call that must leave at once. */
  admitAsKnown(): Promise<"free" | "probe">;
  /** Gives back a probe that was not made, so that the next caller need not wait for its lease to end. */
  giveBack(): Promise<void>;
  /** The provider answered a call that was begun at `startedMs`, be it with a refusal. */
  answered(startedMs: number): Promise<void>;
  /**
   * The provider did not answer, or failed on its side. Tells until when it is left alone, if it is: then the failure
   * was its own, and not that of what the call was about.
   */
  failed(startedMs: number): Promise<number | undefined>;
}

export interface BreakerOptions {
  provider: ProviderName;
  table: StateTable;
  budget: BreakerBudget;
  /** After this a call is aborted. */
  timeoutMs: number;
  now: () => number;
}

/** How long a process goes by what it read. */
const knownForMs = 1000;
/** What a probe may wait for the pacer and for its function's CPU, on top of its call. */
const probeSlackMs = 5000;
/** With more callers than this at once, some of the failures are not counted; the rest is enough. */
const storeAttempts = 5;

const key = (provider: ProviderName) => ({ pk: "breaker", sk: provider });

const stored = z.object({
  failures: z.number(),
  lastFailureMs: z.number(),
  openMs: z.number(),
  openUntilMs: z.number(),
  probe: z.object({ caller: z.string(), sinceMs: z.number(), untilMs: z.number() }).nullable(),
  closedSinceMs: z.number(),
  version: z.number(),
});
type Stored = z.infer<typeof stored>;

const unknown: Stored = { ...closedBreaker, version: 0 };

export function createBreaker({ provider, table, budget, timeoutMs, now }: BreakerOptions): Breaker {
  const caller = randomUUID();
  const leaseMs = timeoutMs + probeSlackMs;
  let known: Stored | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<Stored> | undefined;

  const remember = (state: Stored): Stored => {
    known = state;
    readAtMs = now();
    return state;
  };

  const read = async (): Promise<Stored> => {
    const before = known;
    try {
      const item = await table.get(key(provider));
      // What was stored meanwhile is newer than what was read.
      if (known && known !== before) return known;
      return remember(item ? stored.parse(item) : unknown);
    } catch (error) {
      log.warn("breaker.unreadable", { provider, ...describeError(error) });
      return remember(known ?? unknown);
    }
  };

  /** What was read in the last second, by whichever call of this process. */
  const current = async (): Promise<Stored> => {
    if (known && now() - readAtMs < knownForMs) return known;
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };

  /** Stores the state unless somebody else changed it since it was read. */
  const store = async (state: BreakerState, version: number): Promise<boolean> => {
    const next = { ...state, version: version + 1 };
    let held = true;
    try {
      held = await table.put(key(provider), next, {
        expression: version === 0 ? "attribute_not_exists(pk)" : "version = :version",
        ...(version === 0 ? {} : { values: { ":version": version } }),
      });
    } catch (error) {
      log.warn("breaker.unwritable", { provider, ...describeError(error) });
    }
    if (held) remember(next);
    return held;
  };

  /** Applies a change to the newest state; answers the state that came of it. */
  const change = async (next: (state: Stored) => BreakerState): Promise<BreakerState> => {
    let before = known ?? (await read());
    for (let attempt = 1; ; attempt += 1) {
      const after = next(before);
      if (after === before || attempt > storeAttempts) return before;
      if (await store(after, before.version)) {
        tell(before, after);
        return after;
      }
      before = await read();
    }
  };

  const tell = (before: BreakerState, after: BreakerState): void => {
    const until = new Date(after.openUntilMs).toISOString();
    if (before.openMs === 0 && after.openMs > 0) signal("breaker-open", { provider, until, failures: after.failures });
    else if (after.openUntilMs > before.openUntilMs) log.warn("breaker.reopened", { provider, until });
    else if (before.openMs > 0 && after.openMs === 0) log.info("breaker.closed", { provider });
  };

  /** One failure of this process after the other, or they would only get into each other's way. */
  let reported: Promise<unknown> = Promise.resolve();

  const admitBy = async (first: Stored): Promise<"free" | "probe"> => {
    let state = first;
    for (;;) {
      const decision = decideAdmission(state, { caller, leaseMs, nowMs: now() });
      if (decision.kind === "free") return "free";
      if (decision.kind === "rest")
        throw new Deferred(
          `${provider} is down and left alone until ${new Date(decision.untilMs).toISOString()}`,
          decision.untilMs,
        );
      if (await store(decision.state, state.version)) {
        log.info("breaker.probing", { provider });
        return "probe";
      }
      state = await read();
    }
  };

  return {
    admit: async () => admitBy(await current()),
    admitAsKnown: async () => admitBy(known ?? unknown),
    async giveBack() {
      await change((state) => afterProbeUnmade(state, caller));
    },
    async answered(startedMs) {
      // Mostly that is no news, and costs nothing.
      if (known) await change((state) => afterAnswer(state, { caller, startedMs, nowMs: now() }));
    },
    failed(startedMs) {
      const report = reported.then(async () => {
        const state = await change((before) => afterFailure(before, budget, { caller, startedMs, nowMs: now() }));
        return state.openMs > 0 ? restUntilMs(state) : undefined;
      });
      reported = report.catch(() => undefined);
      return report;
    },
  };
}

/**
 * Waits for permission to make a call: first of the breaker, then of the pacer, and of the breaker again, since it may
 * have opened meanwhile.
 */
export async function acquireBehind(breaker: Breaker | undefined, pace: () => Promise<void>): Promise<void> {
  const admission = await breaker?.admit();
  try {
    await pace();
  } catch (error) {
    if (admission === "probe") await breaker?.giveBack();
    throw error;
  }
  // A look at the table would take time here, and the call would arrive in the provider's next window.
  if (admission === "free") await breaker?.admitAsKnown();
}

/**
 * The providers that are down, with when each is tried next. One that may be tried by now counts as up, and so does one
 * that cannot be looked up.
 */
export async function readProvidersDown(
  table: StateTable,
  now: () => number,
): Promise<{ provider: ProviderName; untilMs: number }[]> {
  const found = await Promise.all(
    entriesOf(providers).map(async ([provider]) => {
      const item = await table.get(key(provider)).catch((error: unknown) => {
        log.warn("breaker.unreadable", { provider, ...describeError(error) });
      });
      const state = item ? stored.parse(item) : unknown;
      return { provider, untilMs: restUntilMs(state) };
    }),
  );
  return found.filter(({ untilMs }) => untilMs > now());
}
