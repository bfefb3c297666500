import * as z from "zod";
import { PermanentFailure } from "../../core/outcome.ts";
import type { Digest } from "../../emails/templates/weekly-digest.tsx";
import type { Mail } from "../../providers/resend.ts";
import { log } from "../../runtime/logger.ts";
import { newsletterMail } from "../../runtime/newsletter-mail.ts";
import { sendBatch } from "../../runtime/send-batch.ts";
import { expiryAfter } from "../../runtime/state-table.ts";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

/** Resend takes 100 mails per call. */
const usualBatchSize = 100;
/** Batches on their way at the same time: enough to hide Resend's latency behind its rate limit. */
const usualConcurrency = 5;
/** The task hands the cursor back this long before it would be stopped. */
const reserveMs = 60_000;

const recipients = z.array(z.object({ subscription_id: z.uuid(), email: z.string() }));
type Recipients = z.infer<typeof recipients>;

const storedBatch = z.object({ recipients });

interface BatchResult {
  sent: number;
  failed: number;
  parked: number;
}

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
    while (remainingMs() > reserveMs) {
      const group = await nextBatches(parts, week, claim, scheduledTime);
      if (group.length === 0) return { done: true, cursor: claim.cursor };
      const sending = group.map((batch, index) =>
        deliverBatch(parts, { week, number: claim.batches + index, digest, batch }),
      );
      // A failed batch must not leave the others running after the task has answered.
      await Promise.allSettled(sending);
      const results = await Promise.all(sending);
      const total = (field: keyof BatchResult) => results.reduce((sum, result) => sum + result[field], claim[field]);
      claim = await parts.claims.advance(week, execution, {
        cursor: group.at(-1)?.at(-1)?.subscription_id ?? claim.cursor,
        batches: claim.batches + group.length,
        sent: total("sent"),
        failed: total("failed"),
        parked: total("parked"),
      });
      log.info("digest.progress", { week, batches: claim.batches, sent: claim.sent });
    }
    return { done: false, cursor: claim.cursor };
  };

async function nextBatches(
  { supabase, table, flags, now }: DigestParts,
  week: string,
  { cursor, batches }: { cursor: string | null; batches: number },
  scheduledTime: string,
): Promise<Recipients[]> {
  const group: Recipients[] = [];
  const concurrency = (await flags.isOn("digest-one-at-a-time")) ? 1 : usualConcurrency;
  // For batches to come: those that are stored stay as they are.
  const batchSize = (await flags.isOn("digest-single-mails")) ? 1 : usualBatchSize;
  let after = cursor;
  for (let offset = 0; offset < concurrency; offset += 1) {
    const key = { pk: `digest#${week}`, sk: `batch#${String(batches + offset).padStart(6, "0")}` };
    const stored = await table.get(key);
    let batch = stored ? storedBatch.parse(stored).recipients : undefined;
    if (!batch) {
      const args = { p_after: after, p_limit: batchSize, p_now: scheduledTime };
      batch = await supabase.call("get_digest_recipients", args, recipients);
      if (batch.length === 0) break;
      // A run that lost its lease without noticing may have stored this batch meanwhile; who is in it is fixed by then.
      if (!(await table.create(key, { recipients: batch, expiresAt: expiryAfter(now(), 90) })))
        batch = storedBatch.parse(await table.get(key)).recipients;
    }
    group.push(batch);
    after = batch.at(-1)?.subscription_id ?? after;
  }
  return group;
}

async function deliverBatch(
  { ledger, resend, settings }: DigestParts,
  { week, number, digest, batch }: { week: string; number: number; digest: Digest; batch: Recipients },
): Promise<BatchResult> {
  const key = `digest/${week}/${number}`;
  const mails: Mail[] = await Promise.all(
    batch.map(({ subscription_id: subscriptionId, email }) =>
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
    if (result.outcome === "parked") return { sent: 0, failed: 0, parked: batch.length };
    const sent = result.providerIds.filter((id) => id !== null).length;
    return { sent, failed: batch.length - sent, parked: 0 };
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error;
    log.error("digest.batch-refused", error, { ledgerKey: key, mails: batch.length });
    return { sent: 0, failed: batch.length, parked: 0 };
  }
}
