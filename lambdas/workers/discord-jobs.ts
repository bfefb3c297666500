import * as z from "zod";
import { jobMessage } from "../core/announcements.ts";
import { jobKey } from "../core/ledger-keys.ts";
import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import { nothing, type SupabaseProvider } from "../providers/supabase.ts";
import { type AnnouncementLedger, createAnnouncementLedger } from "../runtime/announcement-ledger.ts";
import { station } from "../runtime/configuration.ts";
import { log } from "../runtime/logger.ts";
import { type DiscordChannels, now, realDiscord, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface DiscordJobsParts {
  supabase: SupabaseProvider;
  discord: DiscordChannels;
  ledger: AnnouncementLedger;
  siteUrl: string;
  now: () => number;
}

const job = z.object({
  announce: z.boolean(),
  reason: z.string().nullable(),
  status: z.string(),
  discord_message_id: z.string().nullable(),
  embed: z.object({
    title: z.string(),
    description: z.string().optional(),
    url: z.string().optional(),
    color: z.number(),
    fields: z.array(z.object({ name: z.string(), value: z.string(), inline: z.boolean() })).optional(),
    footer: z.object({ text: z.string() }),
    timestamp: z.string(),
  }),
});

/**
 * Keeps one message per job that says what the job's row says now. The row is read, not carried, and a FIFO group per
 * job keeps others out: however quickly updates follow each other, the message ends as the newest (D-38).
 */
export function createDiscordJobsHandler({ supabase, discord, ledger, siteUrl, now }: DiscordJobsParts) {
  return async ({ payload }: Envelope<Payload<"discord-jobs">>): Promise<Settled> => {
    const { job_id: jobId } = payload;
    const key = jobKey(jobId);
    const found = await supabase.call(
      "get_job_for_announcement",
      { p_job_id: jobId, p_site_url: siteUrl },
      job.nullable(),
    );
    // As before, the message of a deleted job stays; its last status is on it.
    if (!found) return suppressed(jobId, "deleted");
    const knownMessageId = found.discord_message_id;
    const isPosted = knownMessageId !== null || (await ledger.read(key))?.messageId;
    if (!found.announce && !isPosted) return suppressed(jobId, found.reason);
    const webhook = await discord("jobs");
    if (!webhook) return suppressed(jobId, "the channel is not configured");

    const message = jobMessage(found.embed);
    const announced = await ledger.announce({ key, message, webhook, follows: true, knownMessageId });
    if (announced.outcome === "parked") return "parked";
    if (announced.messageId !== knownMessageId)
      await supabase.call(
        "record_job_announcement",
        { p_job_id: jobId, p_message_id: announced.messageId, p_now: new Date(now()).toISOString() },
        nothing,
      );
    return "done";
  };
}

function suppressed(jobId: string, reason: string | null): Settled {
  log.info("announcement.suppressed", { jobId, reason });
  return "suppressed";
}

export const handler = createWorker("discord-jobs", async () => {
  const table = realTable();
  return {
    table,
    now,
    handle: createDiscordJobsHandler({
      supabase: await realSupabase(),
      discord: realDiscord(table),
      ledger: createAnnouncementLedger({ table, now }),
      siteUrl: station.config.brand.siteUrl,
      now,
    }),
  };
});
