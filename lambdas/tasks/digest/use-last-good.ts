import { signal } from "../../runtime/metrics.ts";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

/** The database did not answer, and no rehearsal of this week's digest did before. */
class NoLastGoodDigest extends Error {
  override name = "NoLastGoodDigest";
}

/** Pins what the last rehearsal of the same week saw, since the database does not answer today. */
export const useLastGood =
  ({ content }: DigestParts): Task =>
  async (input) => {
    const { week } = claimedWeek.parse(input);
    const rehearsed = await content.rehearsed(week);
    if (!rehearsed)
      throw new NoLastGoodDigest(
        `No rehearsal of ${week} is kept, so there is no content to send. Mend the database and start the digest again.`,
      );
    await content.pin(week, rehearsed);
    signal("digest-last-good-used", { week });
    return { status: "ready" };
  };
