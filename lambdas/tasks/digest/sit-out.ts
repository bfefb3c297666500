import { takeNap } from "../../runtime/nap.ts";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

/** An hour less than the machine's own limit: a run that gives up waiting still gives its week back. */
export const longestRunMs = 47 * 3_600_000;

/**
 * The task, made patient: when a provider takes no calls for a while (outage, quota), it keeps the week and answers
 * when to go on. What it had done by then is in the claim and the ledger.
 */
export const sittingOut =
  ({ claims, now }: Pick<DigestParts, "claims" | "now">, task: Task): Task =>
  async (input, context) => {
    try {
      return await task(input, context);
    } catch (error) {
      const nap = takeNap(error, { now, startedMs: context.startedMs, longestRunMs });
      if (!nap) throw error;
      await claims.rest(claimedWeek.parse(input).week, context.execution, nap.untilMs);
      return { done: nap.done, resumeAt: nap.resumeAt };
    }
  };
