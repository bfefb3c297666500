import * as z from "zod";
import { type QueueName, queues } from "../../registry/queues.ts";
import { type Envelope, envelopeOf, messageId, type Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import { nothing, type SupabaseProvider } from "../providers/supabase.ts";
import { queueUrl } from "../runtime/configuration.ts";
import { log } from "../runtime/logger.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { signal } from "../runtime/metrics.ts";
import { now, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface SweepParts {
  supabase: SupabaseProvider;
  sender: MessageSender;
  now: () => number;
}

const rowsPerClaim = 100;
/** Longer than the worker lives: whoever holds a row either gets it sent or is gone. */
const leaseSeconds = 90;
/** A sweep leaves the rest to the next one before its function is stopped. */
const budgetMs = 40_000;
/** How long a row is kept after it was sent, to be looked up. */
const keptDays = 30;

const claimed = z.array(
  z.object({
    id: z.int(),
    queue: z.string(),
    payload: z.unknown(),
    group_key: z.string().nullable(),
    occurred_at: z.iso.datetime({ offset: true }),
  }),
);
type Row = z.infer<typeof claimed>[number];

/** The queues this worker may send to; the database's triggers name them. */
const destinations: readonly QueueName[] = queues["outbox-sweep"].uses.queues;

/**
 * Hands what the database's triggers wrote into the outbox to the queues, until none is left. A row is done once SQS
 * took it; after a crash in between it is sent again as the same message.
 */
export function createOutboxSweepHandler(parts: SweepParts) {
  const { supabase, now } = parts;
  return async (message: Envelope<Payload<"outbox-sweep">>): Promise<Settled> => {
    const startedMs = now();
    let sent = 0;
    for (;;) {
      const rows = await supabase.call(
        "claim_outbox",
        { p_limit: rowsPerClaim, p_lease_seconds: leaseSeconds, p_owner: message.id, p_now: iso(now()) },
        claimed,
      );
      if (rows.length === 0) break;
      sent += await sendRows(parts, rows);
      if (now() - startedMs > budgetMs) {
        log.warn("outbox.left-over", { sent });
        return "done";
      }
    }
    if (sent > 0) log.info("outbox.swept", { sent });
    // Once an hour, by the message's own time.
    if (new Date(message.occurredAt).getUTCMinutes() === 0)
      await supabase.call(
        "purge_outbox",
        { p_done_before: iso(now() - keptDays * 86_400_000), p_limit: 10_000 },
        nothing,
      );
    return "done";
  };
}

/** Sends the rows, queue by queue in their order, and marks those that SQS took; answers how many. */
async function sendRows(parts: SweepParts, rows: Row[]): Promise<number> {
  const known = rows.filter((row) => destinations.some((queue) => queue === row.queue));
  if (known.length < rows.length)
    signal("outbox-unsendable", {
      rows: rows.length - known.length,
      queues: [...new Set(rows.map(({ queue }) => queue))].filter((name) => !known.some(({ queue }) => queue === name)),
    });
  let sent = 0;
  let refusals: string[] = [];
  for (const queue of destinations) {
    const result = await sendTo(
      parts,
      queue,
      known.filter((row) => row.queue === queue),
    );
    sent += result.sent;
    refusals = [...refusals, ...result.refusals];
  }
  // The rows stay claimed until their lease ends, then the next sweep tries again.
  if (refusals.length > 0) throw new Error(`SQS refused ${refusals.length} outbox rows: ${refusals[0]}`);
  return sent;
}

async function sendTo<Q extends QueueName>(
  { supabase, sender, now }: SweepParts,
  queue: Q,
  rows: Row[],
): Promise<{ sent: number; refusals: string[] }> {
  const contract = envelopeOf(queue);
  const accepted: { id: number; envelope: Envelope<Payload<Q>> }[] = [];
  for (const row of rows) {
    const parsed = contract.safeParse(envelopeAround(queue, row, now()));
    if (parsed.success) accepted.push({ id: row.id, envelope: parsed.data });
    else signal("outbox-unsendable", { outboxId: row.id, queue, reason: z.prettifyError(parsed.error) });
  }
  if (accepted.length === 0) return { sent: 0, refusals: [] };
  const refused = await sender.sendAll(
    queue,
    accepted.map(({ envelope }) => envelope),
  );
  const refusedIndexes = new Set(refused.map(({ index }) => index));
  const ids = accepted.filter((_, index) => !refusedIndexes.has(index)).map(({ id }) => id);
  if (ids.length > 0) await supabase.call("complete_outbox", { p_ids: ids, p_now: iso(now()) }, nothing);
  return { sent: ids.length, refusals: refused.map(({ reason }) => reason) };
}

/** The same row gives the same id, whoever claims it. */
function envelopeAround(queue: QueueName, row: Row, nowMs: number): Envelope {
  return {
    id: messageId("outbox", String(row.id)),
    type: queue,
    correlationId: `outbox-${row.id}`,
    businessKey: row.group_key ?? `outbox/${row.id}`,
    occurredAt: new Date(row.occurred_at).toISOString(),
    firstSeenAt: iso(nowMs),
    deferrals: 0,
    payload: row.payload,
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();

export const handler = createWorker("outbox-sweep", async () => ({
  table: realTable(),
  now,
  handle: createOutboxSweepHandler({ supabase: await realSupabase(), sender: createMessageSender(queueUrl), now }),
}));
