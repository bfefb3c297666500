import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "./clock.ts";
import type { RunningStack } from "./running-stack.ts";

/** Longest real time that one stop of an advance may take to become quiet. */
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
    if (performance.now() > deadline) {
      const left = Object.entries(pending).map(([what, amount]) => `${amount} ${what}`);
      throw new NotQuiet(`After ${waitMs / 1000} s there is still work: ${left.join(", ")}.`);
    }
    await sleep(lookMs);
  }
}

/**
 * Moves time forward by `ms`. It stops at each schedule on the way, fires it with its own time and lets the station
 * come to rest before it goes on; answers what was fired, in order.
 */
export async function advance({ clock, stack }: { clock: Clock; stack: RunningStack }, ms: number): Promise<string[]> {
  const { scheduler } = stack;
  const endMs = clock.now() + ms;
  const fired: string[] = [];
  await untilQuiet(stack);
  for (;;) {
    const next = scheduler.nextOccurrence(clock.now());
    const stopMs = next && next.atMs <= endMs ? next.atMs : endMs;
    clock.advance(Math.max(0, Math.ceil(stopMs - clock.now())));
    scheduler.skipTo(clock.now());
    if (!next || next.atMs > endMs) break;
    for (const { name, atMs } of scheduler.occurrencesBetween(next.atMs - 1, next.atMs)) {
      await scheduler.fire(name, atMs);
      fired.push(`${name} ${new Date(atMs).toISOString()}`);
    }
    await untilQuiet(stack);
  }
  await untilQuiet(stack);
  return fired;
}
