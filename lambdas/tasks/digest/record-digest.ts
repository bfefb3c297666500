import * as z from "zod";
import { nothing } from "../../providers/supabase.ts";
import { log } from "../../runtime/logger.ts";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

/** Closes the week: from here on it is `AlreadySent`. A broadcast's recipients are counted by Resend, not here. */
export const recordDigest =
  ({ claims, supabase }: DigestParts): Task =>
  async (input, { execution }) => {
    const { week, scheduledTime } = claimedWeek.parse(input);
    const { mode, sent, failed, parked, suppressed } = await claims.advance(week, execution, {});
    const recipients =
      mode === "batch"
        ? sent + failed + parked + suppressed
        : await supabase.call("get_newsletter_subscriber_count", {}, z.int());
    const run = {
      week,
      status: failed + parked === 0 ? "sent" : "sent_partially",
      mode,
      recipients,
      sent: mode === "batch" ? sent : recipients,
      suppressed,
      failed: failed + parked,
      recorded_at: scheduledTime,
    };
    await supabase.call("record_digest_run", { p: run }, nothing);
    await claims.advance(week, execution, { state: "sent" });
    log.info("digest.recorded", run);
    return { worked: failed + parked === 0 };
  };
