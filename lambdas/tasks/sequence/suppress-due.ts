import * as z from "zod";
import type { Task } from "../../runtime/task.ts";
import { runInput, type SequenceParts } from "./parts.ts";

/** Ends the sequence of everyone who is due but wants or gets no more mail. */
export const suppressDue =
  ({ supabase }: SequenceParts): Task =>
  async (input) => {
    const { scheduledTime } = runInput.parse(input);
    return { suppressed: await supabase.call("suppress_due_sequence_emails", { p_now: scheduledTime }, z.int()) };
  };
