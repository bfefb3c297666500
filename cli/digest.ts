import { z } from "zod";
import { createWeekClaims } from "../lambdas/tasks/digest/week-claim.ts";
import { audited } from "./audit.ts";
import { type Command, readFlags } from "./command.ts";
import { OperatorError, UsageError } from "./operator-error.ts";

const reopenFlags = z.object({ reason: z.string({ error: "is needed, for the record" }).trim().min(1).max(500) });

export const reopen: Command = {
  usage: "<week> --reason TEXT",
  summary: "let a digest in batches that was closed as sent_partially go out to those it missed",
  details: `A week is such as 2026-W48. The next start of that week's digest goes through its batches again: what the ledger
knows as sent is left alone, a batch that was settled as unsent is sent (flux ledger settle).`,
  flags: { reason: { type: "string" } },
  async run(target, { args: [week = "", ...more], flags }) {
    if (!/^\d{4}-W\d{2}$/.test(week) || more.length > 0) throw new UsageError("Name one week, such as 2026-W48.");
    const { reason } = readFlags(reopenFlags, flags);
    const claim = await createWeekClaims(target).read(week);
    if (!claim) throw new OperatorError(`There was no digest in ${week}.`);
    if (claim.mode !== "batch")
      throw new OperatorError(
        `The digest of ${week} was one broadcast, which Resend sent to everybody: nothing to reopen.`,
      );
    await audited(target, { verb: "digest reopen", given: { week, reason } }, async () => {
      const reopened = await target.table.update(
        { pk: `digest#${week}`, sk: "claim" },
        {
          // From the first batch on, whose recipients are stored; so the totals count anew too.
          expression: "SET #state = :failed, #cursor = :none REMOVE batches, sent, failed, parked, suppressed",
          names: { "#state": "state", "#cursor": "cursor" },
          values: { ":failed": "failed", ":none": null, ":sent": "sent" },
        },
        "#state = :sent",
      );
      if (!reopened)
        throw new OperatorError(`The digest of ${week} is ${claim.state}, not closed: start it again as it is.`);
      return { reopened: 1 };
    });
    console.log(
      `${week} is open again. Start its digest with the time it was due: see the runbook "A mail is parked".`,
    );
  },
};
