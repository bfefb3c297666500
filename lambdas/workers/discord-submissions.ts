import * as z from "zod";
import { contentMessage, submissionMessage } from "../core/announcements.ts";
import { contentKey, submissionKey } from "../core/ledger-keys.ts";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { announceOnChannel, announceOnSite } from "../runtime/announce.ts";
import { type AnnouncementLedger, createAnnouncementLedger } from "../runtime/announcement-ledger.ts";
import { queueUrl, station } from "../runtime/configuration.ts";
import { log } from "../runtime/logger.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { type DiscordChannels, now, realDiscord, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface DiscordSubmissionsParts {
  supabase: SupabaseProvider;
  sender: MessageSender;
  discord: DiscordChannels;
  ledger: AnnouncementLedger;
  siteUrl: string;
  now: () => number;
}

const submission = z.object({
  submission_id: z.uuid(),
  announce: z.boolean(),
  reason: z.string().nullable(),
  status: z.string(),
  name: z.string(),
  description: z.string(),
  category: z.string(),
  submission_type: z.string(),
  author: z.string(),
  author_profile_url: z.string().nullable(),
  github_url: z.string().nullable(),
  tags: z.array(z.string()),
  created_at: z.string(),
  content_id: z.uuid().nullable(),
});

const content = z.object({
  category: z.string(),
  slug: z.string(),
  title: z.string(),
  description: z.string(),
  author: z.string(),
  author_profile_url: z.string().nullable(),
  tags: z.array(z.string()),
  date_added: z.iso.date(),
});
type Content = z.infer<typeof content>;

/** A merged contribution whose entry the directory does not have yet: it comes with the next build, so try again (D-24). */
class ContentMissing extends Error {
  override name = "ContentMissing";
}

/** Tells the team of a new contribution, and everybody of one that was merged. */
export function createDiscordSubmissionsHandler(parts: DiscordSubmissionsParts) {
  return async ({ payload, correlationId }: Envelope<Payload<"discord-submissions">>): Promise<Settled> => {
    const { submission_id: submissionId, change } = payload;
    const found = await parts.supabase.call(
      "get_submission_for_announcement",
      { p_submission_id: submissionId },
      submission.nullable(),
    );
    if (!found) return suppressed(submissionId, "deleted");
    if (change === "INSERT") {
      if (!found.announce) return suppressed(submissionId, found.reason);
      return announceOnChannel(parts, "submissions", {
        key: submissionKey(submissionId),
        message: submissionMessage(found),
      });
    }
    if (found.status !== "merged") return suppressed(submissionId, `it is ${found.status}`);
    if (!found.content_id) throw new ContentMissing(`The entry of submission ${submissionId} is not there yet`);
    return announceContent(parts, found.content_id, correlationId);
  };
}

/** The notification first: its row is what makes a second announcement impossible (D-37); the post comes last. */
async function announceContent(
  parts: DiscordSubmissionsParts,
  contentId: string,
  correlationId: string,
): Promise<Settled> {
  const { supabase, siteUrl } = parts;
  const found = await supabase.call("get_content_for_announcement", { p_content_id: contentId }, content.nullable());
  if (!found) throw new ContentMissing(`The entry ${contentId} was deleted meanwhile`);
  await announceOnSite(parts, {
    id: contentId,
    priority: "medium",
    title: found.title,
    message: found.description || found.title,
    action_label: "View content",
    action_href: `/${found.category}/${found.slug}`,
  });
  await sendFollowUps(parts, contentId, found, correlationId);
  return announceOnChannel(parts, "announcements", {
    key: contentKey(contentId),
    message: contentMessage(found, siteUrl),
  });
}

/** The notifications that are cached, and the picture that is shown where the entry's page is linked. */
async function sendFollowUps(
  { sender, now }: DiscordSubmissionsParts,
  contentId: string,
  { category, slug, title, description, author, tags }: Content,
  correlationId: string,
): Promise<void> {
  const about = (scope: string) => ({
    businessKey: contentId,
    correlationId,
    nowMs: now(),
    idempotency: { scope: `announce-content/${scope}`, key: contentId },
  });
  await sender.send(
    "revalidation",
    makeEnvelope(
      "revalidation",
      { table: "notifications", change: "INSERT", current: null, former: null },
      about("revalidation"),
    ),
  );
  // Category and slug are among the parameters: beside them the card would go without (D-65).
  const params = { title, description, category, slug, author, tags };
  await sender.send(
    "image-generation",
    makeEnvelope("image-generation", { type: "card", content_id: contentId, params }, about("image-generation")),
  );
}

function suppressed(submissionId: string, reason: string | null): Settled {
  log.info("announcement.suppressed", { submissionId, reason });
  return "suppressed";
}

export const handler = createWorker("discord-submissions", async () => {
  const table = realTable();
  return {
    table,
    now,
    handle: createDiscordSubmissionsHandler({
      supabase: await realSupabase(),
      sender: createMessageSender(queueUrl),
      discord: realDiscord(table),
      ledger: createAnnouncementLedger({ table, now }),
      siteUrl: station.config.brand.siteUrl,
      now,
    }),
  };
});
