import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { Deferred } from "../core/outcome.ts";
import { afterOverrun, anchoredAt, decidePacing, firstJitterMs, type PacerState, usableEndMs } from "../core/pacing.ts";
import { describeError, log } from "./logger.ts";
import type { StateTable } from "./state-table.ts";

/** Urgent: somebody waits for this one mail. Bulk: a run that takes its time. */
export type Urgency = "urgent" | "bulk";

/** The one gate to a provider, shared by all functions through one item of the state table. */
export interface Pacer {
  /** Resolves when one call may be made; throws Deferred when that is later than this function can wait. */
  acquire(urgency: Urgency): Promise<void>;
  /** Takes the limit per second from an answer of the provider. Never throws: the call it came from is done. */
  learn(callsPerSecond: number): Promise<void>;
  /**
   * Nobody calls before `untilMs`. An overrun means that paced calls still came too close together, so they are
   * spread. Never throws, since the refusal that led to it is what the caller has to know.
   */
  pause(untilMs: number, why: "overrun" | "announced"): Promise<void>;
}

export interface PacerOptions {
  provider: string;
  table: StateTable;
  /** Calls per second to begin with. */
  callsPerSecond: number;
  now: () => number;
  /** Longest wait before a call is deferred; a function must not sit out a long pause. */
  maximumWaitMs?: number;
}

interface Waiter {
  urgency: Urgency;
  sinceMs: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

const stored = z.object({
  windowStartMs: z.number(),
  used: z.number(),
  limit: z.number(),
  pausedUntilMs: z.number(),
  jitterMs: z.number(),
  version: z.number(),
});

export function createPacer(options: PacerOptions): Pacer {
  const { provider, table, now, callsPerSecond, maximumWaitMs = 20_000 } = options;
  const key = { pk: "pacer", sk: provider };
  const waiters: Waiter[] = [];
  let pumping = false;
  let known: z.infer<typeof stored> | undefined;

  const read = async () => {
    const item = await table.get(key);
    return item
      ? stored.parse(item)
      : { windowStartMs: 0, used: 0, limit: callsPerSecond, pausedUntilMs: 0, jitterMs: firstJitterMs, version: 0 };
  };

  /** Stores the state unless somebody else changed it since it was read. */
  const store = async (state: PacerState, version: number): Promise<boolean> => {
    const next = { ...state, version: version + 1 };
    const held = await table.put(key, next, {
      expression: version === 0 ? "attribute_not_exists(pk)" : "version = :version",
      ...(version === 0 ? {} : { values: { ":version": version } }),
    });
    known = held ? next : undefined;
    return held;
  };

  /** A window that was opened slowly begins when its calls can leave. Others may have taken from it: then it stays. */
  const keepAnchor = async (before: PacerState, opened: PacerState): Promise<void> => {
    const openedNow = opened.windowStartMs !== before.windowStartMs;
    const version = known?.version;
    if (!openedNow || version === undefined || now() - opened.windowStartMs <= opened.jitterMs / 2) return;
    if (!(await store(anchoredAt(opened, now()), version))) known = undefined;
  };

  const settle = (waiter: Waiter | undefined) => {
    if (!waiter) return;
    waiters.splice(waiters.indexOf(waiter), 1);
    waiter.resolve();
  };
  const nextWaiter = () => waiters.find(({ urgency }) => urgency === "urgent") ?? waiters[0];

  /** One loop for all calls this process has in hand: it reserves for all of them at once. */
  const pump = async () => {
    while (waiters.length > 0) {
      const state = known ?? (await read());
      const decision = decidePacing(state, { wanted: waiters.length, nowMs: now() });
      if (decision.kind === "grant") {
        if (!(await store(decision.state, state.version))) continue;
        await keepAnchor(state, decision.state);
        // The table took so long that the calls would arrive in the provider's next window.
        if (now() >= usableEndMs(decision.state)) continue;
        for (let granted = 0; granted < decision.granted; granted += 1) settle(nextWaiter());
        continue;
      }
      known = undefined;
      for (const waiter of waiters.filter(({ sinceMs }) => decision.untilMs - sinceMs > maximumWaitMs)) {
        waiters.splice(waiters.indexOf(waiter), 1);
        waiter.reject(
          new Deferred(
            `${provider} takes no calls before ${new Date(decision.untilMs).toISOString()}`,
            decision.untilMs,
          ),
        );
      }
      if (waiters.length > 0) await sleep(Math.max(1, decision.untilMs - now()));
    }
  };

  const start = () => {
    if (pumping) return;
    pumping = true;
    pump()
      .catch((error: unknown) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        for (const waiter of waiters.splice(0)) waiter.reject(failure);
      })
      .finally(() => {
        pumping = false;
        if (waiters.length > 0) start();
      });
  };

  const courteously = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn("pacer.unwritable", { provider, what, ...describeError(error) });
    }
  };

  return {
    acquire(urgency) {
      return new Promise((resolve, reject) => {
        waiters.push({ urgency, sinceMs: now(), resolve, reject });
        start();
      });
    },
    learn: (limit) =>
      courteously("learn", async () => {
        if (limit === known?.limit) return;
        const state = await read();
        if (state.limit === limit) return;
        // Losing the race is fine: the winner's state leads to the same lesson on the next answer.
        if (await store({ ...state, limit }, state.version)) log.info("pacer.learned", { provider, limit });
      }),
    pause: (untilMs, why) =>
      courteously("pause", async () => {
        for (let attempt = 0; attempt < 5; attempt += 1) {
          const state = await read();
          if (state.pausedUntilMs >= untilMs) return;
          const spread = why === "overrun" ? afterOverrun(state) : state;
          if (await store({ ...spread, pausedUntilMs: untilMs }, state.version)) break;
        }
        log.warn("pacer.paused", { provider, until: new Date(untilMs).toISOString() });
      }),
  };
}
