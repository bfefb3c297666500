import { setTimeout as sleep } from "node:timers/promises";
import { sweepsOf } from "../advance.ts";
import type { Clock } from "../clock.ts";
import type { RunningStack } from "../running-stack.ts";

const lookMs = 50;
/** Work passes from one place to the next between two looks. */
const restingLooks = 3;
/** Longest real time until nothing moves any more. */
const patienceMs = 120_000;
/** Messages that wait for times so close to each other are let go at once. */
const strideMs = 120_000;

/**
 * Lets the station come to rest, and lets time go by in large strides as long as messages wait for it, at most `rounds`
 * times. Answers what is left. After each stride the schedules that look for work are fired; daily and weekly ones are
 * passed over: the sweep of faults starts those runs itself.
 */
export async function settle(
  { clock, stack }: { clock: Clock; stack: RunningStack },
  rounds: number,
): Promise<Record<string, number>> {
  await untilResting(stack);
  for (let round = 0; round < rounds; round += 1) {
    if (Object.keys(await stack.pending()).length === 0) break;
    const dueMs = (await stack.resting())?.dueMs ?? clock.now();
    clock.advance(Math.max(strideMs, Math.ceil(dueMs - clock.now())));
    stack.scheduler.skipTo(clock.now());
    for (const name of sweepsOf(stack.scheduler, clock.now())) await stack.scheduler.fire(name, clock.now());
    await untilResting(stack);
  }
  return stack.pending();
}

async function untilResting(stack: RunningStack): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (let looks = 0; looks < restingLooks; ) {
    looks = (await stack.resting()) ? looks + 1 : 0;
    if (performance.now() > deadline) return;
    await sleep(lookMs);
  }
}
