import { napAfter } from "../core/waiting.ts";
import { describeError, log } from "./logger.ts";
import { count } from "./metrics.ts";
import type { TaskContext } from "./task.ts";

/** What a task answers that cannot go on yet: its machine waits until then and calls it again. */
export interface Nap {
  done: false;
  /** ISO 8601, for the machine's Wait state. */
  resumeAt: string;
}

/**
 * The nap that a run takes after `error`; undefined when waiting does not mend it, or not within `longestRunMs` of the
 * run's begin. Each nap is logged and counted, so that a run that only waits can be seen to.
 *
 * A state that does not tell when its run began cannot wait either: it is of a definition from before a deployment,
 * which would take the answer for the end of the work.
 */
export function takeNap(
  error: unknown,
  { now, startedMs, longestRunMs }: Pick<TaskContext, "startedMs"> & { now: () => number; longestRunMs: number },
): (Nap & { untilMs: number }) | undefined {
  if (startedMs === undefined) return undefined;
  const untilMs = napAfter(error, { nowMs: now(), giveUpMs: startedMs + longestRunMs });
  if (untilMs === undefined) return undefined;
  const resumeAt = new Date(untilMs).toISOString();
  log.warn("run.waiting", { resumeAt, ...describeError(error) });
  count("run-waiting", 1);
  return { done: false, resumeAt, untilMs };
}
