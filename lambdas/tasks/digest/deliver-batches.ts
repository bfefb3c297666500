import * as z from "zod";
import { PermanentFailure } from "../../core/outcome.ts";
import type { Digest } from "../../emails/templates/weekly-digest.tsx";
import type { Mail } from "../../providers/resend.ts";
import { log } from "../../runtime/logger.ts";
import { newsletterMail } from "../../runtime/newsletter-mail.ts";
import { sendBatch } from "../../runtime/send-batch.ts";
import { expiryAfter, type ItemKey } from "../../runtime/state-table.ts";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";
import type { WeekClaim } from "./week-claim.ts";

/** Resend takes 100 mails per call. */
const usualBatchSize = 100;
/** Batches on their way at the same time: enough to hide Resend's latency behind its rate limit. */
const usualConcurrency = 5;
/** The task hands the cursor back this long before it would be stopped. */
const reserveMs = 60_000;

const recipients = z.array(z.object({ subscription_id: z.uuid(), email: z.string() }));

/** A batch as it is stored: once it was attempted it never changes again. */
const storedBatch = z.object({
  recipients,
  /** Left out since it was fixed. */
  suppressed: z.int().default(0),
  /** The last subscription it was made of, whether still in it or not; absent in batches of earlier versions. */
  through: z.uuid().optional(),
});
type Batch = z.infer<typeof storedBatch>;

type BatchResult = Pick<WeekClaim, "sent" | "failed" | "parked" | "suppressed">;

/**
 * Sends the digest as single mails, a hundred to a call, until nobody is left or time runs out. Who is in a batch is
 * stored before its first attempt, so a resumed run sends the very same batch under the same key.
 */
export const deliverBatches =
  (parts: DigestParts): Task =>
  async (input, { execution, remainingMs }) => {
    const { week, scheduledTime } = claimedWeek.parse(input);
    const digest = await parts.content.pinned(week);
    if (!digest) throw new Error(`The content of ${week} is not pinned; start the digest again.`);
    let claim = await parts.claims.advance(week, execution, {});
    // One batch first: a run that wakes up to find Resend still closed has prepared no more than that in vain.
    let size = 1;
    while (remainingMs() > reserveMs) {
      const group = await nextBatches(parts, { week, scheduledTime, size }, claim);
      if (group.length === 0) return { done: true, cursor: claim.cursor };
      const sending = group.map((batch, index) =>
        deliverBatch(parts, { week, number: claim.batches + index, digest, batch }),
      );
      // A failed batch must not leave the others running after the task has answered.
      await Promise.allSettled(sending);
      const results = await Promise.all(sending);
      const total = (field: keyof BatchResult) => results.reduce((sum, result) => sum + result[field], claim[field]);
      claim = await parts.claims.advance(week, execution, {
        cursor: lastOf(group.at(-1)) ?? claim.cursor,
        batches: claim.batches + group.length,
        sent: total("sent"),
        failed: total("failed"),
        parked: total("parked"),
        suppressed: total("suppressed"),
      });
      log.info("digest.progress", { week, batches: claim.batches, sent: claim.sent });
      size = (await parts.flags.isOn("digest-one-at-a-time")) ? 1 : usualConcurrency;
    }
    return { done: false, cursor: claim.cursor };
  };

const lastOf = (batch: Batch | undefined) => batch?.through ?? batch?.recipients.at(-1)?.subscription_id;
const ledgerKeyOf = (week: string, number: number) => `digest/${week}/${number}`;

async function nextBatches(
  parts: DigestParts,
  { week, scheduledTime, size }: { week: string; scheduledTime: string; size: number },
  { cursor, batches }: Pick<WeekClaim, "cursor" | "batches">,
): Promise<Batch[]> {
  const { supabase, table, flags, now } = parts;
  const group: Batch[] = [];
  // For batches to come: those that are stored stay as they are.
  const batchSize = (await flags.isOn("digest-single-mails")) ? 1 : usualBatchSize;
  let after = cursor;
  for (let offset = 0; offset < size; offset += 1) {
    const number = batches + offset;
    const key = { pk: `digest#${week}`, sk: `batch#${String(number).padStart(6, "0")}` };
    const stored = await table.get(key);
    let batch = stored
      ? await withoutUnwilling(parts, { key, ledgerKey: ledgerKeyOf(week, number) }, storedBatch.parse(stored))
      : undefined;
    if (!batch) {
      const args = { p_after: after, p_limit: batchSize, p_now: scheduledTime };
      const due = await supabase.call("get_digest_recipients", args, recipients);
      if (due.length === 0) break;
      batch = { recipients: due, suppressed: 0, through: due.at(-1)?.subscription_id };
      // A run that lost its lease without noticing may have stored this batch meanwhile; who is in it is fixed by then.
      if (!(await table.create(key, { ...batch, expiresAt: expiryAfter(now(), 90) })))
        batch = storedBatch.parse(await table.get(key));
    }
    group.push(batch);
    after = lastOf(batch) ?? after;
  }
  return group;
}

/**
 * Leaves out who was blocked or left since the batch was fixed - unless it was attempted already: then it must go out
 * again exactly as it was. A batch that has waited for a provider may be many hours old.
 */
async function withoutUnwilling(
  { supabase, table, ledger, now }: DigestParts,
  { key, ledgerKey }: { key: ItemKey; ledgerKey: string },
  batch: Batch,
): Promise<Batch> {
  if (batch.recipients.length === 0 || (await ledger.read(ledgerKey))?.firstAttemptMs) return batch;
  const ids = batch.recipients.map(({ subscription_id: id }) => id);
  const willing = new Set(
    await supabase.call("keep_digest_recipients", { p_subscription_ids: ids }, z.array(z.uuid())),
  );
  const left = batch.recipients.filter(({ subscription_id: id }) => willing.has(id));
  const dropped = ids.length - left.length;
  if (dropped === 0) return batch;
  const smaller = { recipients: left, suppressed: batch.suppressed + dropped, through: lastOf(batch) };
  await table.put(key, { ...smaller, expiresAt: expiryAfter(now(), 90) });
  log.info("digest.left-out", { ledgerKey, suppressed: smaller.suppressed });
  return smaller;
}

async function deliverBatch(
  { ledger, resend, settings }: DigestParts,
  { week, number, digest, batch }: { week: string; number: number; digest: Digest; batch: Batch },
): Promise<BatchResult> {
  const key = ledgerKeyOf(week, number);
  const { recipients: people, suppressed } = batch;
  if (people.length === 0) return { sent: 0, failed: 0, parked: 0, suppressed };
  const mails: Mail[] = await Promise.all(
    people.map(({ subscription_id: subscriptionId, email }) =>
      newsletterMail(
        { template: "weekly-digest", digest },
        { email, subscriptionId },
        { from: "hello", ledgerKey: key, tags: { type: "weekly_digest" } },
        settings,
      ),
    ),
  );
  try {
    const result = await ledger.send({
      key,
      payload: mails,
      acquire: () => resend.acquire("bulk"),
      call: (idempotencyKey) => sendBatch(resend, mails, idempotencyKey),
    });
    if (result.outcome === "parked") return { sent: 0, failed: 0, parked: people.length, suppressed };
    const sent = result.providerIds.filter((id) => id !== null).length;
    return { sent, failed: people.length - sent, parked: 0, suppressed };
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    log.error("digest.batch-refused", error, { ledgerKey: key, mails: people.length });
    return { sent: 0, failed: people.length, parked: 0, suppressed };
  }
}
