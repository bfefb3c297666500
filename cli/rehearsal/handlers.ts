import { onlyOnce } from "../../lambdas/runtime/only-once.ts";
import type { MessageHandler } from "../../lambdas/runtime/worker.ts";
import { createChangelogNotifyHandler } from "../../lambdas/workers/changelog-notify.ts";
import { createChangelogProcessHandler } from "../../lambdas/workers/changelog-process.ts";
import { createDiscordJobsHandler } from "../../lambdas/workers/discord-jobs.ts";
import { createDiscordSubmissionsHandler } from "../../lambdas/workers/discord-submissions.ts";
import { createEmailHandler } from "../../lambdas/workers/email.ts";
import { createEmbeddingHandler } from "../../lambdas/workers/embedding-generation.ts";
import { createImageHandler } from "../../lambdas/workers/image-generation.ts";
import { createOutboxSweepHandler } from "../../lambdas/workers/outbox-sweep.ts";
import { createPackageHandler } from "../../lambdas/workers/package-generation.ts";
import { createPulseHandler } from "../../lambdas/workers/pulse.ts";
import { createRevalidationHandler } from "../../lambdas/workers/revalidation.ts";
import { createSegmentRecoveryHandler } from "../../lambdas/workers/segment-recovery.ts";
import { createSegmentSyncHandler } from "../../lambdas/workers/segment-sync.ts";
import { createSubscriptionHandler } from "../../lambdas/workers/subscription.ts";
import { createWebhookEventsHandler } from "../../lambdas/workers/webhook-events.ts";
import type { QueueName } from "../../registry/queues.ts";
import { config } from "../../station.config.ts";
import { openReadOnlyDatabase } from "../read-only-database.ts";
import type { Target } from "../target.ts";
import {
  rehearsedAnnouncements,
  rehearsedDiscord,
  rehearsedMailLedger,
  rehearsedResend,
  rehearsedSender,
  rehearsedServices,
  rehearsedSupabase,
  rehearsedTable,
  rehearsedWorkflows,
} from "./effects-off.ts";
import type { Journal } from "./journal.ts";

type Handlers = { [Q in QueueName]: () => Promise<MessageHandler<Q>> };

/** Today's handler of each queue, built with parts that have no effect. */
export async function rehearsedHandlers(target: Target, journal: Journal): Promise<Handlers> {
  const { now } = target;
  const database = await openReadOnlyDatabase(target);
  const table = rehearsedTable(journal, target.table);
  const { brand, senders } = config;
  const parts = {
    supabase: rehearsedSupabase(journal, database),
    resend: rehearsedResend(journal),
    sender: rehearsedSender(journal),
    discord: rehearsedDiscord(journal, config),
    workflows: rehearsedWorkflows(journal),
    ...rehearsedServices(journal, config),
    siteUrl: brand.siteUrl,
    now,
  };
  const mails = rehearsedMailLedger(journal, { table, now });
  const posts = rehearsedAnnouncements(journal, { table, now });
  const once = { table, now };
  const { model, dimensions } = config.embeddings;
  return {
    subscription: async () =>
      createSubscriptionHandler({
        ...parts,
        ledger: mails,
        // As they are, since a mail rendered with others would not be the one that the ledger knows.
        settings: {
          brand,
          senders,
          apiUrl: await target.publicApiUrl(),
          unsubscribeKey: await target.secret("unsubscribeKey"),
        },
        audience: config.resend,
      }),
    email: async () => createEmailHandler({ ...parts, ledger: mails, settings: { brand, senders } }),
    "webhook-events": async () =>
      createWebhookEventsHandler({ ...parts, ledger: mails, releaseBranch: config.changelog.branch }),
    "outbox-sweep": async () => createOutboxSweepHandler(parts),
    "recovery-sweep": async () => async () =>
      journal.end("A sweep does what it finds to do; its message says nothing."),
    revalidation: async () => onlyOnce("revalidation", once, createRevalidationHandler(parts)),
    pulse: async () => createPulseHandler({ ...parts, flags: { isOn: async () => false } }),
    "segment-sync": async () => createSegmentSyncHandler(parts),
    "segment-recovery": async () => createSegmentRecoveryHandler(parts),
    "changelog-process": async () =>
      createChangelogProcessHandler({
        ...parts,
        settings: { siteUrl: brand.siteUrl, releaseBranch: config.changelog.branch },
      }),
    "changelog-notify": async () => createChangelogNotifyHandler({ ...parts, ledger: posts }),
    "discord-jobs": async () => createDiscordJobsHandler({ ...parts, ledger: posts }),
    "discord-submissions": async () => createDiscordSubmissionsHandler({ ...parts, ledger: posts }),
    "embedding-generation": async () => createEmbeddingHandler({ ...parts, modelName: `${model}/${dimensions}` }),
    "image-generation": async () => onlyOnce("image-generation", once, createImageHandler(parts)),
    "package-generation": async () => onlyOnce("package-generation", once, createPackageHandler(parts)),
  };
}
