import { z } from "zod";
import { PermanentFailure } from "../../core/outcome.ts";
import { onboardingTemplateOfStep } from "../../emails/render.ts";
import { log } from "../../runtime/logger.ts";
import { signal } from "../../runtime/metrics.ts";
import { newsletterMail } from "../../runtime/newsletter-mail.ts";
import type { Task } from "../../runtime/task.ts";
import { runInput, type SequenceParts, type Totals, totals } from "./parts.ts";

/** Resend takes 100 mails per call. */
const batchSize = 100;
/** A batch whose run died is taken up again by the first run after this. */
const leaseSeconds = 1200;
/** The task hands over to the next round this long before it would be stopped. */
const reserveMs = 60_000;

const dueMails = z.array(
  z.object({
    batch_id: z.uuid(),
    schedule_id: z.uuid(),
    subscription_id: z.uuid(),
    email: z.string(),
    step: z.union([z.literal(2), z.literal(3), z.literal(4), z.literal(5)]),
  }),
);
type DueMails = z.infer<typeof dueMails>;

const sendInput = runInput.extend({ totals: totals.optional() });

/**
 * Sends what is due, a hundred mails to a call, until nothing is left or time runs out. The database fixes who is in
 * a batch when it is claimed: taken up again after a crash it is the same batch, sent under the same key.
 */
export const sendDue =
  (parts: SequenceParts): Task =>
  async (input, { execution, remainingMs }) => {
    const { scheduledTime, totals: before } = sendInput.parse(input);
    const sofar: Totals = before ?? totals.parse({});
    while (remainingMs() > reserveMs) {
      const claim = { p_now: scheduledTime, p_limit: batchSize, p_lease_seconds: leaseSeconds, p_owner: execution };
      const batch = await parts.supabase.call("claim_due_sequence_emails", claim, dueMails);
      const [first] = batch;
      if (!first) {
        const short = sofar.returned - sofar.sent;
        if (short > 0) signal("sequence-short", { ...sofar });
        return { done: true, totals: sofar, worked: short === 0 };
      }
      const result = await sendBatch(parts, first.batch_id, batch, scheduledTime);
      sofar.returned += batch.length;
      sofar.sent += result.sent;
      sofar.failed += result.failed;
      sofar.parked += result.parked;
      log.info("sequence.progress", { batchId: first.batch_id, ...sofar });
    }
    return { done: false, totals: sofar, worked: true };
  };

async function sendBatch(
  { supabase, resend, ledger, settings }: SequenceParts,
  batchId: string,
  batch: DueMails,
  scheduledTime: string,
): Promise<Omit<Totals, "returned">> {
  const key = `sequence/${batchId}`;
  const mails = await Promise.all(
    batch.map(({ email, step, subscription_id: subscriptionId }) =>
      newsletterMail(
        { template: onboardingTemplateOfStep(step) },
        { email, subscriptionId },
        { from: "onboarding", ledgerKey: key, tags: { template: "onboarding_sequence", step: String(step) } },
        settings,
      ),
    ),
  );
  const ids = await idsOf(
    ledger.send({
      key,
      payload: mails,
      acquire: () => resend.acquire("bulk"),
      call: (idempotencyKey) => resend.sendMails(mails, idempotencyKey),
    }),
    mails.length,
  );
  // A parked batch stays claimed: whether it was sent is for a webhook or an operator to say.
  if (ids === "parked") return { sent: 0, failed: 0, parked: batch.length };
  const outcomes = batch.map(({ schedule_id }, index) => ({ schedule_id, outcome: ids[index] ? "sent" : "failed" }));
  await supabase.call(
    "complete_sequence_batch",
    { p_batch_id: batchId, p_outcomes: outcomes, p_now: scheduledTime },
    z.object({ sent: z.int(), failed: z.int(), suppressed: z.int(), scheduled: z.int() }),
  );
  const sent = outcomes.filter(({ outcome }) => outcome === "sent").length;
  return { sent, failed: batch.length - sent, parked: 0 };
}

async function idsOf(
  sending: ReturnType<SequenceParts["ledger"]["send"]>,
  mails: number,
): Promise<(string | null)[] | "parked"> {
  try {
    const result = await sending;
    return result.outcome === "parked" ? "parked" : result.providerIds;
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    log.error("sequence.batch-refused", error, { mails });
    return Array<null>(mails).fill(null);
  }
}
