import * as z from "zod";
import { nothing } from "../../providers/supabase.ts";
import { log } from "../../runtime/logger.ts";
import type { Task } from "../../runtime/task.ts";
import { contactChange, type SegmentParts } from "./parts.ts";

const evidence = z.object({
  change: contactChange,
  calls: z.int(),
  retryAttempt: z.int(),
});

/** Keeps what was done to which contact and why: the audit's question that the original could not answer. */
export const storeEvidence =
  ({ supabase, now }: SegmentParts): Task =>
  async (input) => {
    const { change, calls, retryAttempt } = evidence.parse(input);
    const facts = {
      contact_id: change.contactId,
      subscription_id: change.subscriptionId,
      segment_target: change.target,
      engagement_score: change.score,
      retry_attempt: retryAttempt,
      resend_status: "applied",
      calls,
      recorded_at: new Date(now()).toISOString(),
    };
    await supabase.call("record_segment_evidence", { p: facts }, nothing);
    log.info("segment.applied", {
      contactId: change.contactId,
      segment_target: change.target,
      engagement_score: change.score,
      retry_attempt: retryAttempt,
      resend_status: "applied",
    });
    return {};
  };
