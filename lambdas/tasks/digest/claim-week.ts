import { digestWeek } from "../../core/week.ts";
import type { Task } from "../../runtime/task.ts";
import { type DigestParts, runInput } from "./parts.ts";

/** Claims the week the run was due in: one run sends it, others join or learn that it is done. */
export const claimWeek =
  ({ claims, digest }: DigestParts): Task =>
  async (input, { execution }) => {
    const { scheduledTime, mode } = runInput.parse(input);
    const { week, contentFrom } = digestWeek(Date.parse(scheduledTime), digest.timeZone);
    const { kind, claim } = await claims.claim(week, execution, mode ?? digest.mode);
    return { status: kind, week, contentFrom, mode: claim.mode };
  };
