import * as z from "zod";
import { takeNap } from "../../runtime/nap.ts";
import type { Task } from "../../runtime/task.ts";
import { longestRunMs, runInput, type SequenceParts } from "./parts.ts";

/** Ends the sequence of everyone who is due but wants or gets no more mail. */
export const suppressDue =
  ({ supabase, now }: SequenceParts): Task =>
  async (input, { startedMs }) => {
    const { scheduledTime } = runInput.parse(input);
    try {
      return { suppressed: await supabase.call("suppress_due_sequence_emails", { p_now: scheduledTime }, z.int()) };
    } catch (error) {
      const nap = takeNap(error, { now, startedMs, longestRunMs });
      if (!nap) throw error;
      return { resumeAt: nap.resumeAt };
    }
  };
