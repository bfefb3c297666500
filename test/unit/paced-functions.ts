import { createPacer, type Pacer, type Urgency } from "../../lambdas/runtime/pacer.ts";
import type { Item, StateTable } from "../../lambdas/runtime/state-table.ts";
import { createRateWindow } from "../../local/vendors/resend/limits.ts";
import { createSeededRandom } from "../../local/vendors/seeded-random.ts";
import { brokenTable } from "./state.ts";

const startMs = Date.parse("2026-03-02T09:00:00Z");

/** Time that passes only from one event to the next, so that a minute of waiting takes a moment. */
export function createVirtualTime() {
  let nowMs = startMs;
  let order = 0;
  const events = new Map<number, { atMs: number; callback: () => void }>();
  const after = (ms: number, callback: () => void) => {
    order += 1;
    const id = order;
    events.set(id, { atMs: nowMs + ms, callback });
    return () => void events.delete(id);
  };
  const next = () => {
    let first: { id: number; atMs: number; callback: () => void } | undefined;
    for (const [id, event] of events) if (!first || event.atMs < first.atMs) first = { id, ...event };
    return first;
  };
  return {
    now: () => nowMs,
    after,
    sleep: (ms: number) => new Promise<void>((resolve) => void after(ms, resolve)),
    /** Lets everything happen that happens within so many milliseconds. */
    pass: async (ms: number) => {
      const untilMs = nowMs + ms;
      for (;;) {
        // Whatever was resolved goes on before time does.
        await new Promise(setImmediate);
        const event = next();
        if (!event || event.atMs > untilMs) break;
        events.delete(event.id);
        nowMs = Math.max(nowMs, event.atMs);
        event.callback();
      }
      nowMs = untilMs;
    },
  };
}

export interface SimulatedCall {
  arrivedMs: number;
  allowed: boolean;
  urgency: Urgency;
  waitedMs: number;
}

interface Circumstances {
  seed: number;
  limit: number;
  /** Of the network, one way; the promise is about 20. */
  networkMs?: number;
  /** Longest time of one operation on the table. */
  tableMs?: number;
  /** What a function's first calls take in addition, as its connection has to be made. */
  coldMs?: number;
  /** How late a timer is at most, as on a machine that has other things to do. */
  latenessMs?: number;
}

/** Functions with real pacers, over a table, a network and a provider that take their time, all of it virtual. */
export function simulateFunctions(circumstances: Circumstances) {
  const { seed, networkMs = 20, tableMs = 6, coldMs = 0, latenessMs = 2 } = circumstances;
  const time = createVirtualTime();
  const random = createSeededRandom(seed);
  const vendor = { limit: circumstances.limit };
  const provider = createRateWindow(time.now, () => vendor.limit);
  const calls: SimulatedCall[] = [];
  const errors: unknown[] = [];
  let item: Item | undefined;

  const table: StateTable = {
    ...brokenTable,
    get: async () => {
      await time.sleep(random() * tableMs * 0.5);
      const found = item;
      await time.sleep(random() * tableMs * 0.5);
      return found;
    },
    put: async (_, value, condition) => {
      await time.sleep(random() * tableMs * 0.5);
      const holds = (item?.version ?? undefined) === condition?.values?.[":version"];
      if (holds) item = value;
      await time.sleep(random() * tableMs * 0.5);
      return holds;
    },
  };

  /** One function; dead ones neither get answers nor are called back. */
  const startFunction = () => {
    let dead = false;
    let isCold = true;
    const whileAlive = <T>(work: Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        work.then(
          (value) => void (dead || resolve(value)),
          (error: unknown) => void (dead || reject(error)),
        );
      });
    const pacer: Pacer = createPacer({
      provider: "simulated",
      table: {
        ...table,
        get: (...args) => whileAlive(table.get(...args)),
        put: (...args) => whileAlive(table.put(...args)),
      },
      callsPerSecond: 2,
      now: time.now,
      random,
      after: (ms, callback) => time.after(ms + random() * latenessMs, () => void (dead || callback())),
    });

    /** One call as the Resend provider makes it. */
    const call = async (urgency: Urgency) => {
      const sinceMs = time.now();
      await pacer.acquire(urgency);
      const waitedMs = time.now() - sinceMs;
      await time.sleep(random() * networkMs + (isCold ? coldMs : 0));
      isCold = false;
      const { allowed, headers } = provider.take();
      calls.push({ arrivedMs: time.now(), allowed, urgency, waitedMs });
      await time.sleep(1 + random() * networkMs);
      await pacer.learn(Number(headers["ratelimit-limit"]));
      if (!allowed) await pacer.pause(time.now() + 1000, "overrun");
    };
    return {
      call,
      kill: () => {
        dead = true;
      },
      /** Calls without end, so many at a time; `pauseMs` is the longest pause after each. */
      keepCalling: (urgency: Urgency, inHand: number, pauseMs = 0) => {
        for (let each = 0; each < inHand; each += 1) {
          void (async () => {
            while (!dead) {
              await call(urgency).catch((error: unknown) => errors.push(error));
              await time.sleep(random() * pauseMs);
            }
          })();
        }
      },
    };
  };

  return { time, random, vendor, calls, errors, table, startFunction, state: () => item };
}

export type Simulation = ReturnType<typeof simulateFunctions>;
