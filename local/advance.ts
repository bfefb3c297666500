import { setTimeout as sleep } from "node:timers/promises";
import type { Scheduler } from "./aws/scheduler.ts";
import type { Clock } from "./clock.ts";
import type { RunningStack } from "./running-stack.ts";

/** Longest real time to become quiet, and longest in which the work of one stop of an advance does not become less. */
const patienceMs = 120_000;
/** Two looks this far apart must both find nothing, since work passes from one place to the next. */
const lookMs = 25;

/** The station did not come to rest; the message says what was left. */
export class NotQuiet extends Error {
  override name = "NotQuiet";
}

/** Waits until nothing is queued, delayed, hidden or running. */
export async function untilQuiet(stack: RunningStack, waitMs = patienceMs): Promise<void> {
  const deadline = performance.now() + waitMs;
  let quietLooks = 0;
  for (;;) {
    const pending = await stack.pending();
    quietLooks = Object.keys(pending).length === 0 ? quietLooks + 1 : 0;
    if (quietLooks >= 3) return;
    if (performance.now() > deadline)
      throw new NotQuiet(`After ${waitMs / 1000} s there is still work: ${inWords(pending)}.`);
    await sleep(lookMs);
  }
}

/**
 * Waits until nothing happens any more unless time goes by; answers when the next message is due, if one waits. Takes
 * as long as there is less to do after each `stepMs` than before: thousands of messages may be due at once.
 */
export async function untilResting(
  stack: Pick<RunningStack, "resting" | "pending">,
  stepMs = patienceMs,
): Promise<number | undefined> {
  let deadline = performance.now() + stepMs;
  let least = amountOf(await stack.pending());
  for (let looks = 0; ; ) {
    const rest = await stack.resting();
    looks = rest ? looks + 1 : 0;
    if (rest && looks >= 3) return rest.dueMs;
    if (performance.now() > deadline) {
      const pending = await stack.pending();
      if (amountOf(pending) >= least)
        throw new NotQuiet(`For ${stepMs / 1000} s the work did not become less: ${inWords(pending)}.`);
      least = amountOf(pending);
      deadline = performance.now() + stepMs;
    }
    await sleep(lookMs);
  }
}

const amountOf = (pending: Record<string, number>) => Object.values(pending).reduce((sum, amount) => sum + amount, 0);
const inWords = (pending: Record<string, number>) =>
  Object.entries(pending)
    .map(([what, amount]) => `${amount} ${what}`)
    .join(", ");

/** What is due within this is waited for together: thousands of messages would be as many stops. SQS counts in seconds. */
const dueResolutionMs = 1000;

/** A schedule that comes round sooner than this is a sweep. */
const shortestStopMs = 3_600_000;

/** Schedules that look for work every few minutes: a week of theirs would be thousands of stops at which nothing happens. */
export function sweepsOf({ enabled, nextOccurrence }: Scheduler, nowMs: number): string[] {
  return enabled().filter((name) => {
    const first = nextOccurrence(nowMs, [name]);
    const second = first && nextOccurrence(first.atMs, [name]);
    return first !== undefined && second !== undefined && second.atMs - first.atMs < shortestStopMs;
  });
}

/**
 * Moves time forward by `ms`. It stops at each schedule and at each message that waits for its time on the way, fires
 * a schedule with its own time and lets the station come to rest before it goes on; answers what was fired, in order.
 *
 * Schedules of less than an hour's period are no stops. Each is fired once at every other stop and at the end, as of
 * its latest occurrence, if it had one since it was last fired; they are not in the answer.
 */
export async function advance({ clock, stack }: { clock: Clock; stack: RunningStack }, ms: number): Promise<string[]> {
  const { scheduler } = stack;
  const startMs = clock.now();
  const endMs = startMs + ms;
  const sweeps = sweepsOf(scheduler, startMs);
  const stops = scheduler.enabled().filter((name) => !sweeps.includes(name));
  const sweptMs = new Map(sweeps.map((name) => [name, startMs]));
  const fireSweeps = async (upToMs: number): Promise<boolean> => {
    let fired = false;
    for (const [name, lastMs] of sweptMs) {
      const latest = latestOccurrence(scheduler, name, lastMs, upToMs);
      if (latest === undefined) continue;
      sweptMs.set(name, latest);
      await scheduler.fire(name, latest);
      fired = true;
    }
    return fired;
  };

  const fired: string[] = [];
  for (;;) {
    const dueMs = (await untilResting(stack)) ?? Number.POSITIVE_INFINITY;
    const scheduledMs = scheduler.nextOccurrence(clock.now(), stops)?.atMs ?? Number.POSITIVE_INFINITY;
    const stopMs = Math.min(Math.ceil(dueMs / dueResolutionMs) * dueResolutionMs, scheduledMs, endMs);
    clock.advance(Math.max(0, Math.ceil(stopMs - clock.now())));
    scheduler.skipTo(clock.now());
    const swept = await fireSweeps(stopMs);
    if (stopMs === scheduledMs) {
      const due = scheduler.occurrencesBetween(stopMs - 1, stopMs).filter(({ name }) => stops.includes(name));
      for (const { name, atMs } of due) {
        await scheduler.fire(name, atMs);
        fired.push(`${name} ${new Date(atMs).toISOString()}`);
      }
    } else if (stopMs < dueMs && !swept) {
      return fired;
    }
  }
}

/** The last occurrence of a sweep in a stretch of time that may be long. */
function latestOccurrence(scheduler: Scheduler, name: string, afterMs: number, upToMs: number): number | undefined {
  let latest: number | undefined;
  let fromMs = Math.max(afterMs, upToMs - shortestStopMs);
  for (;;) {
    const next = scheduler.nextOccurrence(fromMs, [name]);
    if (!next || next.atMs > upToMs) return latest;
    latest = next.atMs;
    fromMs = next.atMs;
  }
}
