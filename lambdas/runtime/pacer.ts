import * as z from "zod";
import { Deferred } from "../core/outcome.ts";
import {
  afterAnswer,
  afterOverrun,
  begunLate,
  decidePacing,
  firstState,
  lastLeaveMs,
  mayStillLeave,
  type PacerState,
  type ReservedCall,
} from "../core/pacing.ts";
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
  /** Calls back when so many milliseconds have passed, unless what it returns is called before. */
  after?: (ms: number, callback: () => void) => () => void;
  /** Numbers in [0, 1). */
  random?: () => number;
}

interface Waiter {
  urgency: Urgency;
  sinceMs: number;
  /** The window in which it found no room and left a mark. */
  markedIn?: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

const stored = z.object({
  window: z.number(),
  windowStartMs: z.number(),
  windowEndMs: z.number(),
  used: z.number(),
  limit: z.number(),
  loweredMs: z.number(),
  pausedUntilMs: z.number(),
  jitterMs: z.number(),
  overrunMs: z.number(),
  urgentWaiting: z.number(),
  urgentKept: z.number(),
  bulkWaiting: z.number(),
  bulkKept: z.number(),
  bulkServedMs: z.number(),
  version: z.number(),
});

type Stored = z.infer<typeof stored>;

/** Bulk callers come to reserve one after the other, and after urgent ones. */
const bulkSpreadMs = 25;
/** Somebody else was first: try again after up to this long, and longer after each further time. */
const lostRaceMs = 8;
/** Calls of a window that leave later than this begin it later for the provider. */
const punctualMs = 5;
/** How many windows tell how soon the first answer comes. */
const lagsKept = 20;
/** What is known of the limit and of pauses is this old at most when a call leaves that was reserved ahead. */
const freshMs = 50;

export function createPacer(options: PacerOptions): Pacer {
  const { provider, table, now, callsPerSecond } = options;
  const { maximumWaitMs = 20_000, after = afterTimeout, random = Math.random } = options;
  const key = { pk: "pacer", sk: provider };
  const waiters: Waiter[] = [];
  let pumping = false;
  let known: Stored | undefined;
  let seenLimit: number | undefined;
  /** The window that this process opened last, until its first answer; `earlier` answers are to calls from before. */
  let opened: { state: PacerState; earlier: number } | undefined;
  /** When calls left that are not answered. */
  let leftMs: number[] = [];
  const lagsMs: number[] = [];
  let wake: (() => void) | undefined;

  const read = async (): Promise<Stored> => {
    const item = await table.get(key);
    const state = item ? stored.parse(item) : { ...firstState(callsPerSecond), version: 0 };
    seenLimit = state.limit;
    return state;
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

  /** Stores what `change` makes of the state, whoever else changes it meanwhile; nothing when it answers undefined. */
  const change = async (first: Stored | undefined, change: (state: PacerState) => PacerState | undefined) => {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const state = (attempt === 0 ? first : undefined) ?? (await read());
      const changed = change(state);
      if (!changed) return false;
      if (await store(changed, state.version)) return true;
      await new Promise<void>((resolve) => after(random() * lostRaceMs, resolve));
    }
    return false;
  };

  /** Of the pump alone. Woken when an urgent call arrives, the limit changed, or the last call gave up. */
  const rest = (ms: number) =>
    new Promise<"over" | "woken">((resolve) => {
      const end = (how: "over" | "woken") => {
        wake = undefined;
        resolve(how);
      };
      const cancel = after(Math.max(1, ms), () => end("over"));
      wake = () => {
        cancel();
        end("woken");
      };
    });

  const urgentWaiters = () => waiters.filter(({ urgency }) => urgency === "urgent");
  const take = (waiter: Waiter) => waiters.splice(waiters.indexOf(waiter), 1);

  const letGo = () => {
    const waiter = waiters.find(({ urgency }) => urgency === "urgent") ?? waiters[0];
    if (!waiter) return;
    take(waiter);
    leftMs.push(now());
    waiter.resolve();
  };

  /** Lets calls go that were reserved; those that are too late, or that a pause or a lower limit overtook, stay. */
  const release = async (reserved: PacerState, calls: ReservedCall[]): Promise<void> => {
    let knownMs = now();
    for (const { number, leaveMs } of calls) {
      const ahead = leaveMs > reserved.windowStartMs;
      const dueMs = () => (urgentWaiters().length > 0 ? reserved.windowStartMs : leaveMs);
      while (waiters.length > 0 && dueMs() > now()) {
        if ((await rest(dueMs() - now())) === "over") break;
      }
      if (ahead && now() - knownMs > freshMs) {
        const state = await read();
        knownMs = now();
        known = undefined;
        if (!mayStillLeave(state, { window: reserved.window, number, nowMs: knownMs })) return;
      }
      if (now() >= lastLeaveMs(reserved)) return;
      letGo();
    }
  };

  /** The provider's window began later than ours, whoever takes calls from it meanwhile. */
  const lengthen = ({ window }: PacerState, lateMs: number) =>
    change(known, (state) => (state.window === window ? begunLate(state, lateMs) : undefined));

  /**
   * The first answer in a window that this process opened bounds when its first call arrived: later than usual by no
   * more than the answer was.
   */
  const noteAnswer = async (): Promise<void> => {
    leftMs.shift();
    if (!opened) return;
    const { state, earlier } = opened;
    opened = earlier > 0 ? { state, earlier: earlier - 1 } : undefined;
    if (opened) return;
    const lagMs = now() - state.windowStartMs;
    // The first one says nothing of what is usual: a connection had to be made.
    const usualMs = lagsMs.length > 0 ? Math.min(...lagsMs) : 0;
    lagsMs.push(lagMs);
    if (lagsMs.length > lagsKept) lagsMs.shift();
    const lateMs = lagMs - usualMs;
    if (lateMs > state.jitterMs) await lengthen(state, lateMs);
  };

  const carryOut = async (before: PacerState, reserved: PacerState, calls: ReservedCall[]): Promise<void> => {
    const leavesAtStart = ({ leaveMs }: ReservedCall) => leaveMs <= reserved.windowStartMs;
    // Those that had no answer for so long will not get one.
    leftMs = leftMs.filter((atMs) => now() - atMs < 2000);
    const earlier = leftMs.length;
    await release(reserved, calls.filter(leavesAtStart));
    if (reserved.window !== before.window) {
      opened = { state: reserved, earlier };
      const lateMs = now() - reserved.windowStartMs;
      if (lateMs > punctualMs) await lengthen(reserved, lateMs + reserved.jitterMs);
    }
    await release(
      reserved,
      calls.filter((call) => !leavesAtStart(call)),
    );
  };

  /** One loop for all calls this process has in hand: it reserves for all of them at once. */
  const pump = async () => {
    let lostRaces = 0;
    while (waiters.length > 0) {
      const state: Stored = known ?? (await read());
      const urgent = urgentWaiters();
      const wanted = { urgent, bulk: waiters.length - urgent.length };
      const decision = decidePacing(state, { wanted, nowMs: now() });
      if (decision.kind === "wait") {
        known = undefined;
        deferBeyond(decision.untilMs);
        if (waiters.length === 0) return;
        await rest(decision.untilMs - now() + (urgent.length > 0 ? 0 : random() * bulkSpreadMs));
      } else if (!(await store(decision.state, state.version))) {
        lostRaces = Math.min(5, lostRaces + 1);
        await rest(random() * lostRaceMs * lostRaces);
      } else {
        lostRaces = 0;
        if (decision.kind === "grant") await carryOut(state, decision.state, decision.calls);
        else for (const waiter of urgent) waiter.markedIn = decision.state.window;
      }
    }
  };

  const deferBeyond = (untilMs: number) => {
    for (const waiter of waiters.filter(({ sinceMs }) => untilMs - sinceMs > maximumWaitMs)) {
      take(waiter);
      waiter.reject(new Deferred(`${provider} takes no calls before ${new Date(untilMs).toISOString()}`, untilMs));
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
    acquire: (urgency) =>
      new Promise((resolve, reject) => {
        // Also when the table answers slowly or not at all.
        const giveUp = after(maximumWaitMs, () => {
          take(waiter);
          const untilMs = now() + 1000;
          reject(new Deferred(`${provider} had no room for a call within ${maximumWaitMs} ms`, untilMs));
          if (waiters.length === 0) wake?.();
        });
        const settled = <T>(settle: (value: T) => void) => {
          return (value: T) => {
            giveUp();
            settle(value);
          };
        };
        const waiter: Waiter = { urgency, sinceMs: now(), resolve: settled(resolve), reject: settled(reject) };
        waiters.push(waiter);
        if (urgency === "urgent") wake?.();
        start();
      }),
    learn: (limit) =>
      courteously("learn", async () => {
        await noteAnswer();
        if (limit === seenLimit) return;
        // Losing the race is fine: the winner's state leads to the same lesson on the next answer.
        if (await change(undefined, (state) => afterAnswer(state, limit, now()))) {
          seenLimit = limit;
          wake?.();
          log.info("pacer.learned", { provider, limit });
        }
      }),
    pause: (untilMs, why) =>
      courteously("pause", async () => {
        await change(undefined, (state) => {
          const spread = why === "overrun" ? afterOverrun(state, now()) : state;
          return state.pausedUntilMs >= untilMs ? undefined : { ...spread, pausedUntilMs: untilMs };
        });
        log.warn("pacer.paused", { provider, until: new Date(untilMs).toISOString() });
      }),
  };
}

function afterTimeout(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}
