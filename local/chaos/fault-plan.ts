import { type Boundary, boundaries, usualCrossings } from "./boundaries.ts";
import { chance } from "./hash.ts";

/** What a call reaches; each fails in ways of its own. */
export type Service = "resend" | "discord" | "site" | "supabase" | "dynamodb" | "sqs" | "stepfunctions" | "other";

/** What befalls a call. `lost` and `failed-after` happen after it was carried out, the others instead of it. */
export type Fault = "none" | "rate429" | "rate5xx" | "reset" | "throttle" | "slow" | "lost" | "failed-after";

/** Every boundary is in focus, with a kill likely, every seventh seed. */
const focusCycle = 7;
/** Kills that a boundary in focus is to get in a seed, about. */
const killsInFocus = 0.9;
/** How much less likely a kill is out of focus: the less, the rarer a seed crosses the boundary at all. */
const outOfFocus = (crossings: number): number => {
  if (crossings < 1) return 1 / 2.5;
  return crossings <= 3 ? 1 / 5 : 1 / 25;
};
/** From its fourth attempt on an item is let through, so that every message can be done before it is dead-lettered. */
const faultedAttempts = 3;

const isFocus = (seed: number, boundary: Boundary): boolean => (boundaries.indexOf(boundary) + seed) % focusCycle === 0;

/** Whether seeds that follow each other put every boundary in focus at least once. */
export const coversAll = (seeds: number): boolean => seeds >= 2 * focusCycle;

/** A function that is about to cross the boundary with the item for the `attempt`th time (from 0) dies there. */
export function isKilled(seed: number, boundary: Boundary, item: string, attempt: number): boolean {
  if (attempt > 1) return false;
  const crossings = usualCrossings(boundary);
  const likelihood = Math.min(0.6, killsInFocus / crossings) * (isFocus(seed, boundary) ? 1 : outOfFocus(crossings));
  return chance(`kill/${seed}/${boundary}/${item}/${attempt}`) < (attempt === 0 ? likelihood : likelihood / 2);
}

/** Likelihoods of a call, in the order in which they are looked at. */
const rates: Record<Service, [Fault, number][]> = {
  resend: [
    ["rate429", 0.012],
    ["rate5xx", 0.025],
    ["reset", 0.02],
    ["lost", 0.03],
    ["failed-after", 0.015],
    ["slow", 0.08],
  ],
  discord: [
    ["rate429", 0.03],
    ["rate5xx", 0.02],
    ["reset", 0.03],
    ["lost", 0.03],
    ["failed-after", 0.02],
  ],
  site: [
    ["rate5xx", 0.05],
    ["reset", 0.03],
    ["lost", 0.03],
  ],
  supabase: [
    ["rate5xx", 0.012],
    ["lost", 0.015],
    ["slow", 0.04],
  ],
  dynamodb: [
    ["throttle", 0.01],
    ["lost", 0.008],
  ],
  sqs: [
    ["rate5xx", 0.015],
    ["lost", 0.01],
  ],
  stepfunctions: [
    ["rate5xx", 0.03],
    ["lost", 0.02],
  ],
  other: [
    ["rate5xx", 0.03],
    ["lost", 0.02],
  ],
};

/** Throttles that outlast the SDK's own retries, by items. */
const longThrottles = 0.004;

/** What befalls the `attempt`th call (from 0) of a service about an item. */
export function faultOf(seed: number, service: Service, item: string, attempt: number): Fault {
  if (service === "dynamodb" && attempt < 5 && chance(`throttled/${seed}/${item}`) < longThrottles) return "throttle";
  if (attempt >= faultedAttempts) return "none";
  let dice = chance(`fault/${seed}/${service}/${item}/${attempt}`);
  for (const [fault, rate] of rates[service]) {
    if (dice < rate) return fault;
    dice -= rate;
  }
  return "none";
}

/** How long a slow call waits before it leaves. */
export const slownessMs = (seed: number, item: string): number => 10 + Math.floor(chance(`slow/${seed}/${item}`) * 190);

/** How far an execution environment's clock is off: mostly a few tens of milliseconds, a minority by seconds. */
export function clockSkewMs(seed: number, environment: string): number {
  const size = chance(`skew/${seed}/${environment}`);
  const sign = chance(`skew-sign/${seed}/${environment}`) < 0.5 ? -1 : 1;
  return Math.round(sign * (size < 0.9 ? size * 40 : 300 + (size - 0.9) * 20_000));
}

export type Repetition = "never" | "meanwhile" | "afterwards";

/** Of SQS's deliveries 30 % happen twice: at the same time, or once the first is over. */
export function repetitionOf(seed: number, queue: string, item: string, delivery: number): Repetition {
  if (delivery >= faultedAttempts) return "never";
  const dice = chance(`repeat/${seed}/${queue}/${item}/${delivery}`);
  if (dice < 0.15) return "meanwhile";
  return dice < 0.3 ? "afterwards" : "never";
}
