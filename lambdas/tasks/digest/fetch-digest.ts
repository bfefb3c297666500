import type { Digest } from "../../emails/templates/weekly-digest.tsx";
import { signal } from "../../runtime/metrics.ts";
import type { Task } from "../../runtime/task.ts";
import { isEmpty, weeklyDigest } from "./content.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

export const readWeek = ({ supabase }: Pick<DigestParts, "supabase">, contentFrom: string): Promise<Digest> =>
  supabase.call("get_weekly_digest", { p_week_start: contentFrom }, weeklyDigest);

/** Pins the week's content; what an earlier attempt pinned stays. */
export const fetchDigest =
  (parts: DigestParts): Task =>
  async (input) => {
    const { week, contentFrom } = claimedWeek.parse(input);
    const pinned = await parts.content.pinned(week);
    const digest = pinned ?? (await readWeek(parts, contentFrom));
    if (isEmpty(digest) && parts.digest.onEmpty === "skip") {
      signal("digest-empty", { week, contentFrom });
      return { status: "empty" };
    }
    if (!pinned) await parts.content.pin(week, digest);
    return { status: "ready" };
  };
