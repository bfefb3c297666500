import * as z from "zod";
import { PermanentFailure } from "../../core/outcome.ts";
import { restOf } from "../../core/waiting.ts";
import { onboardingTemplateOfStep } from "../../emails/render.ts";
import { describeError, log } from "../../runtime/logger.ts";
import { signal } from "../../runtime/metrics.ts";
import { takeNap } from "../../runtime/nap.ts";
import { newsletterMail } from "../../runtime/newsletter-mail.ts";
import { sendBatch } from "../../runtime/send-batch.ts";
import type { Task, TaskContext } from "../../runtime/task.ts";
import { longestRunMs, runInput, type SequenceParts, type Totals, totals } from "./parts.ts";

/** Resend takes 100 mails per call. */
const usualBatchSize = 100;
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
    mailable: z.boolean(),
    step: z.union([z.literal(2), z.literal(3), z.literal(4), z.literal(5)]),
  }),
);
type DueMails = z.infer<typeof dueMails>;

const sendInput = runInput.extend({ totals: totals.optional() });

/**
 * Sends what is due, a hundred mails to a call, until nothing is left or time runs out. The database fixes who is in
 * a batch when it is claimed: taken up again after a crash or a wait it is the same batch, sent under the same key.
 * What cannot be sent in this run's time is left to the next one, with a signal.
 */
export const sendDue =
  (parts: SequenceParts): Task =>
  async (input, context) => {
    const { scheduledTime, totals: before } = sendInput.parse(input);
    const sofar: Totals = before ?? totals.parse({});
    try {
      return await sendBatches(parts, scheduledTime, sofar, context);
    } catch (error) {
      const nap = takeNap(error, { now: parts.now, startedMs: context.startedMs, longestRunMs });
      if (nap) return { done: nap.done, totals: sofar, worked: true, resumeAt: nap.resumeAt };
      if (restOf(error) === undefined || context.startedMs === undefined) throw error;
      signal("sequence-short", { ...sofar, ...describeError(error) });
      return { done: true, totals: sofar, worked: false };
    }
  };

/** Counts what it does in `sofar`, which is right also when it throws. */
async function sendBatches(
  parts: SequenceParts,
  scheduledTime: string,
  sofar: Totals,
  { execution, remainingMs }: TaskContext,
): Promise<Record<string, unknown>> {
  while (remainingMs() > reserveMs) {
    // For a batch to come: one that was claimed before stays as it is.
    const batchSize = (await parts.flags.isOn("sequence-single-mails")) ? 1 : usualBatchSize;
    const claim = {
      p_now: scheduledTime,
      p_limit: batchSize,
      p_lease_seconds: leaseSeconds,
      p_owner: execution,
      p_except: sofar.parkedBatches,
      p_clock: new Date(parts.now()).toISOString(),
    };
    const batch = await parts.supabase.call("claim_due_sequence_emails", claim, dueMails);
    const [first] = batch;
    if (!first) {
      const short = sofar.failed + sofar.parked;
      if (short > 0) signal("sequence-short", { ...sofar });
      return { done: true, totals: sofar, worked: short === 0 };
    }
    const result = await deliverBatch(parts, first.batch_id, batch, scheduledTime);
    sofar.returned += batch.length;
    sofar.sent += result.sent;
    sofar.suppressed += result.suppressed;
    sofar.failed += result.failed;
    sofar.parked += result.parked;
    if (result.parked > 0) sofar.parkedBatches.push(first.batch_id);
    log.info("sequence.progress", { batchId: first.batch_id, ...sofar });
  }
  return { done: false, totals: sofar, worked: true };
}

type BatchResult = Pick<Totals, "sent" | "suppressed" | "failed" | "parked">;

async function deliverBatch(
  parts: SequenceParts,
  batchId: string,
  claimed: DueMails,
  scheduledTime: string,
): Promise<BatchResult> {
  const { resend, ledger, settings } = parts;
  const key = `sequence/${batchId}`;
  const batch = await withoutUnwilling(parts, key, claimed, scheduledTime);
  const suppressed = claimed.length - batch.length;
  if (batch.length === 0) return { sent: 0, suppressed, failed: 0, parked: 0 };
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
      call: (idempotencyKey) => sendBatch(resend, mails, idempotencyKey),
    }),
    mails.length,
  );
  // A parked batch stays claimed: whether it was sent is for a webhook or an operator to say.
  if (ids === "parked") return { sent: 0, suppressed, failed: 0, parked: batch.length };
  await complete(parts, batchId, scheduledTime, batch, (index) => (ids[index] ? "sent" : "failed"));
  const sent = batch.filter((_, index) => ids[index]).length;
  return { sent, suppressed, failed: batch.length - sent, parked: 0 };
}

/**
 * Leaves out who unsubscribed since the batch was claimed - unless the batch was attempted already: then it must go
 * out again exactly as it was.
 */
async function withoutUnwilling(
  parts: SequenceParts,
  key: string,
  claimed: DueMails,
  scheduledTime: string,
): Promise<DueMails> {
  const unwilling = claimed.filter(({ mailable }) => !mailable);
  const [first] = unwilling;
  if (!first || (await parts.ledger.read(key))?.firstAttemptMs) return claimed;
  await complete(parts, first.batch_id, scheduledTime, unwilling, () => "suppressed");
  return claimed.filter(({ mailable }) => mailable);
}

async function complete(
  { supabase }: SequenceParts,
  batchId: string,
  scheduledTime: string,
  batch: DueMails,
  outcomeOf: (index: number) => "sent" | "failed" | "suppressed",
): Promise<void> {
  const outcomes = batch.map(({ schedule_id }, index) => ({ schedule_id, outcome: outcomeOf(index) }));
  await supabase.call(
    "complete_sequence_batch",
    { p_batch_id: batchId, p_outcomes: outcomes, p_now: scheduledTime },
    z.object({ sent: z.int(), failed: z.int(), suppressed: z.int(), scheduled: z.int() }),
  );
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
