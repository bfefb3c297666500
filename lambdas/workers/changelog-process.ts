import * as z from "zod";
import { composeChangelogEntry } from "../core/changelog-entry.ts";
import { type Deployment, readDeployment } from "../core/deployment.ts";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import { Deferred, InvalidInput, type Settled } from "../core/outcome.ts";
import { judgeDeployment } from "../core/vercel-deployment.ts";
import type { GithubProvider } from "../providers/github.ts";
import { nothing, type SupabaseProvider } from "../providers/supabase.ts";
import { queueUrl, station } from "../runtime/configuration.ts";
import { describeError, log } from "../runtime/logger.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { now, realGithub, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface ChangelogProcessParts {
  supabase: SupabaseProvider;
  github: GithubProvider;
  sender: MessageSender;
  settings: { siteUrl: string; releaseBranch: string };
  now: () => number;
}

type Message = Envelope<Payload<"changelog-process">>;

/** Longer than the worker may run: a run whose lease is over has died with its function. */
const leaseSeconds = 120;

/** The other function is mostly done in a moment; only one that died keeps its lease to the end. */
const lookAgainMs = 5000;

const run = z.object({
  state: z.enum(["started", "running", "processed"]),
  run_id: z.uuid().nullable(),
  data: z.unknown(),
});
const previous = z.object({ commit_sha: z.string().nullable() });
const recorded = z.object({ entry_id: z.uuid(), slug: z.string(), created: z.boolean() });

/** How a run ended well: with an entry, or with the reason for none. */
type Processed = { entryId: string } | { skipped: string };

/** Makes the changelog entry of a deployment that was stored as a webhook event, once, and has it announced. */
export function createChangelogProcessHandler(parts: ChangelogProcessParts) {
  const { supabase, now } = parts;

  const finish = (runId: string | null, ended: { error: string } | { processed: Processed }) =>
    supabase.call(
      "finish_webhook_event_run",
      {
        p_run_id: runId,
        p_status: "error" in ended ? "failed" : "succeeded",
        p_error: "error" in ended ? ended.error : null,
        p_metadata: "error" in ended ? null : ended.processed,
        p_related_id: "processed" in ended && "entryId" in ended.processed ? ended.processed.entryId : null,
        p_now: new Date(now()).toISOString(),
      },
      nothing,
    );

  return async (message: Message): Promise<Settled> => {
    const { webhook_event_id: eventId } = message.payload;
    const started = await supabase.call(
      "start_webhook_event_run",
      {
        p_webhook_event_id: eventId,
        p_lease_seconds: leaseSeconds,
        p_now: new Date(now()).toISOString(),
      },
      run.nullable(),
    );
    if (!started) throw new InvalidInput(`There is no webhook event ${eventId}`);
    if (started.state === "processed") return "done";
    if (started.state === "running")
      throw new Deferred(`Webhook event ${eventId} is being worked on by another function`, now() + lookAgainMs);
    try {
      const processed = await processDeployment(parts, started.data, message);
      await finish(started.run_id, { processed });
      log.info("changelog.processed", { webhookEventId: eventId, ...processed });
      return "entryId" in processed ? "done" : "suppressed";
    } catch (error) {
      // Without this the next attempt would have to wait for the lease; why it failed is what matters.
      await finish(started.run_id, { error: describeError(error).errorMessage }).catch((unfinished: unknown) =>
        log.warn("changelog.run-unfinished", { webhookEventId: eventId, ...describeError(unfinished) }),
      );
      throw error;
    }
  };
}

async function processDeployment(parts: ChangelogProcessParts, data: unknown, message: Message): Promise<Processed> {
  const { supabase, settings } = parts;
  // Checked here too: whoever puts an event's id on the queue makes no release of a preview (D-61).
  const judged = judgeDeployment(data, settings.releaseBranch);
  if (!judged.release) return { skipped: judged.reason };
  const deployment = readDeployment(data);
  if ("invalid" in deployment) throw new InvalidInput(`The webhook event is no deployment: ${deployment.invalid}`);
  const head = deployment.commitSha;
  if (!head) return { skipped: "it names no commit" };
  const base =
    deployment.previousCommitSha ??
    (
      await supabase.call(
        "get_previous_deployed_commit",
        { p_webhook_event_id: message.payload.webhook_event_id },
        previous,
      )
    ).commit_sha;
  if (!base) return { skipped: "it is the first deployment" };
  return release(parts, deployment, { base, head, correlationId: message.correlationId });
}

async function release(
  { supabase, github, sender, settings, now }: ChangelogProcessParts,
  deployment: Deployment,
  { base, head, correlationId }: { base: string; head: string; correlationId: string },
): Promise<Processed> {
  const commits = await github.compareCommits(base, head);
  const entry = composeChangelogEntry(commits, { branch: settings.releaseBranch });
  if (!entry) return { skipped: `none of its ${commits.length} commits concerns a reader` };
  const { entry_id: entryId } = await supabase.call(
    "record_changelog_entry",
    {
      p: {
        ...entry,
        deployment_id: deployment.id,
        deployed_at: String(deployment.createdMs),
        site_url: settings.siteUrl,
        git_commit_sha: head,
        metadata: { branch: settings.releaseBranch, url: deployment.url, previous_commit_sha: base },
      },
      p_now: new Date(now()).toISOString(),
    },
    recorded,
  );
  const about = {
    businessKey: entryId,
    correlationId,
    nowMs: now(),
    idempotency: { scope: "changelog-notify", key: entryId },
  };
  // Before the event is marked as processed: an entry that nobody is told of would stay so (D-25).
  await sender.send("changelog-notify", makeEnvelope("changelog-notify", { entry_id: entryId }, about));
  return { entryId };
}

export const handler = createWorker("changelog-process", async () => {
  const { brand, changelog } = station.config;
  return {
    table: realTable(),
    now,
    handle: createChangelogProcessHandler({
      supabase: await realSupabase(),
      github: await realGithub(),
      sender: createMessageSender(queueUrl),
      settings: { siteUrl: brand.siteUrl, releaseBranch: changelog.branch },
      now,
    }),
  };
});
