import * as z from "zod";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import { Deferred, type Settled } from "../core/outcome.ts";
import { isKnownVercelType, judgeDeployment } from "../core/vercel-deployment.ts";
import { nothing, type SupabaseProvider } from "../providers/supabase.ts";
import { queueUrl, requiredSecrets, station } from "../runtime/configuration.ts";
import { describeError, log } from "../runtime/logger.ts";
import { createMailLedger } from "../runtime/mail-ledger.ts";
import { createMessageSender } from "../runtime/message-sender.ts";
import { signal } from "../runtime/metrics.ts";
import { now, realResend, realSupabase, realTable } from "../runtime/real-parts.ts";
import { applyResendEvent, type ResendEventParts } from "../runtime/resend-events.ts";
import { createWorker } from "../runtime/worker.ts";

interface WebhookParts extends ResendEventParts {
  /** The branch whose production deployments make changelog entries. */
  releaseBranch: string;
}

type WebhookEvent = Envelope<Payload<"webhook-events">>;
/** What is kept with the run, and what the event turned out to be about. */
type Applied = { metadata: Record<string, unknown>; relatedId?: string | null };

/** The worker's own limit: a run that is not over by then never will be. */
const leaseSeconds = 60;
/** The other delivery of the same event is usually done in a moment. */
const busyPauseSeconds = 10;

const received = z.object({ webhook_event_id: z.uuid(), state: z.enum(["new", "pending", "processed"]) });
const run = z.object({ state: z.enum(["started", "running", "processed"]), run_id: z.uuid().nullable() }).nullable();

/**
 * Stores a verified webhook once, then works on it until it is done: a delivery of one that failed before is work,
 * not a duplicate.
 */
export function createWebhookEventsHandler(parts: WebhookParts) {
  const { supabase, sender, releaseBranch, now } = parts;
  return async (message: WebhookEvent): Promise<Settled> => {
    const { source, dedupeKey, type, occurredAt, data } = message.payload;
    const { webhook_event_id: webhookEventId, state } = await supabase.call(
      "receive_webhook_event",
      {
        p_source: source,
        p_dedupe_key: dedupeKey,
        p_type: type,
        p_occurred_at: occurredAt,
        p_data: data,
        p_now: iso(now()),
      },
      received,
    );
    log.info("webhook.received", { webhookEventId, source, type, state });
    if (state === "processed") return "done";
    if (source === "vercel" && judgeDeployment(data, releaseBranch).release) {
      // The changelog's own worker opens and closes the run.
      const about = {
        businessKey: webhookEventId,
        correlationId: message.correlationId,
        nowMs: now(),
        idempotency: { scope: "changelog-process", key: webhookEventId },
      };
      await sender.send(
        "changelog-process",
        makeEnvelope("changelog-process", { webhook_event_id: webhookEventId }, about),
      );
      return "done";
    }
    await runOnce(parts, webhookEventId, () => apply(parts, webhookEventId, message));
    return "done";
  };
}

/** Does the work unless it is done or being done; what it throws is kept with the run and thrown on. */
async function runOnce(
  { supabase, now }: { supabase: SupabaseProvider; now: () => number },
  webhookEventId: string,
  work: () => Promise<Applied>,
): Promise<void> {
  const started = await supabase.call(
    "start_webhook_event_run",
    { p_webhook_event_id: webhookEventId, p_lease_seconds: leaseSeconds, p_now: iso(now()) },
    run,
  );
  if (started?.state === "processed") return;
  if (!started?.run_id)
    throw new Deferred(`Webhook event ${webhookEventId} is being worked on`, now() + busyPauseSeconds * 1000);
  const finish = (status: "succeeded" | "failed", error: string | null, { metadata, relatedId }: Applied) =>
    supabase.call(
      "finish_webhook_event_run",
      {
        p_run_id: started.run_id,
        p_status: status,
        p_error: error,
        p_metadata: metadata,
        p_related_id: relatedId ?? null,
        p_now: iso(now()),
      },
      nothing,
    );
  try {
    await finish("succeeded", null, await work());
  } catch (error) {
    // Unclosed, the run would hold up the next attempt until its lease ends.
    await finish("failed", describeError(error).errorMessage, { metadata: {} }).catch((failure: unknown) =>
      log.warn("webhook.run-unclosed", { webhookEventId, ...describeError(failure) }),
    );
    throw error;
  }
}

async function apply(parts: WebhookParts, webhookEventId: string, message: WebhookEvent): Promise<Applied> {
  const { source, type, data } = message.payload;
  switch (source) {
    case "resend":
      return { metadata: await applyResendEvent(parts, webhookEventId, message) };
    case "polar":
      return applyPolarEvent(parts, webhookEventId, message);
    case "vercel": {
      if (!isKnownVercelType(type)) signal("webhook-unknown-type", { webhookEventId, source, type });
      const judged = judgeDeployment(data, parts.releaseBranch);
      return { metadata: { skipped: judged.release ? null : judged.reason } };
    }
  }
}

const polarAnswer = z.object({
  handled: z.boolean(),
  outcome: z.string(),
  job: z.object({ job_id: z.string() }).nullable(),
});

async function applyPolarEvent(
  { supabase, now }: WebhookParts,
  webhookEventId: string,
  { payload: { source, type, occurredAt, data } }: WebhookEvent,
): Promise<Applied> {
  const { handled, outcome, job } = await supabase.call(
    "handle_polar_event",
    {
      p_webhook_event_id: webhookEventId,
      p_type: type,
      p_occurred_at: occurredAt,
      p_data: data,
      p_now: iso(now()),
    },
    polarAnswer,
  );
  if (outcome === "unknown_type") signal("webhook-unknown-type", { webhookEventId, source, type });
  else if (!handled || outcome === "not_live") signal("payment-unmatched", { webhookEventId, type, outcome });
  return { metadata: { outcome }, relatedId: job?.job_id ?? null };
}

const iso = (ms: number): string => new Date(ms).toISOString();

export const handler = createWorker("webhook-events", async () => {
  const table = realTable();
  await requiredSecrets(["resendApiKey", "supabaseServiceRoleKey"]);
  return {
    table,
    now,
    handle: createWebhookEventsHandler({
      supabase: await realSupabase(),
      resend: await realResend(table),
      ledger: createMailLedger({ table, now }),
      sender: createMessageSender(queueUrl),
      releaseBranch: station.config.changelog.branch,
      now,
    }),
  };
});
