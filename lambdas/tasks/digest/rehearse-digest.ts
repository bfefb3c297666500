import { rehearsedWeek } from "../../core/week.ts";
import type { Task } from "../../runtime/task.ts";
import { isEmpty } from "./content.ts";
import { readWeek } from "./fetch-digest.ts";
import { type DigestParts, runInput } from "./parts.ts";

/** Reads the next digest's content and keeps it, for the day on which the database does not answer. */
export const rehearseDigest =
  (parts: DigestParts): Task =>
  async (input) => {
    const { scheduledTime } = runInput.parse(input);
    const { week, contentFrom } = rehearsedWeek(Date.parse(scheduledTime), parts.digest.timeZone);
    const digest = await readWeek(parts, contentFrom);
    if (!isEmpty(digest)) await parts.content.rehearse(week, digest);
    return { week, items: digest.newContent.length + digest.trendingContent.length };
  };
