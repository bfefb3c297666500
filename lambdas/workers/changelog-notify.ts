import * as z from "zod";
import { releaseMessage } from "../core/announcements.ts";
import { changelogKey } from "../core/ledger-keys.ts";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import { InvalidInput, type Settled } from "../core/outcome.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { announceOnChannel, announceOnSite } from "../runtime/announce.ts";
import { type AnnouncementLedger, createAnnouncementLedger } from "../runtime/announcement-ledger.ts";
import { queueUrl, station } from "../runtime/configuration.ts";
import { createMessageSender, type MessageSender } from "../runtime/message-sender.ts";
import { type DiscordChannels, now, realDiscord, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface ChangelogNotifyParts {
  supabase: SupabaseProvider;
  sender: MessageSender;
  discord: DiscordChannels;
  ledger: AnnouncementLedger;
  siteUrl: string;
  now: () => number;
}

const released = z.object({
  slug: z.string(),
  title: z.string(),
  tldr: z.string(),
  sections: z.array(z.object({ title: z.string(), items: z.array(z.string()) })),
  commits: z.array(z.object({ sha: z.string(), url: z.string() })),
  contributors: z.array(z.string()),
  commit_count: z.number(),
  release_date: z.iso.date(),
  published: z.boolean(),
});

/**
 * Tells of a release: a notification on the site, its cached pages, a Discord post. Each is done once however often
 * this runs, and the post comes last: it is the only one that cannot be taken back (D-36).
 */
export function createChangelogNotifyHandler(parts: ChangelogNotifyParts) {
  const { supabase, sender, siteUrl, now } = parts;
  return async ({ payload, correlationId }: Envelope<Payload<"changelog-notify">>): Promise<Settled> => {
    const { entry_id: entryId } = payload;
    const entry = await supabase.call("get_changelog_entry", { p_entry_id: entryId }, released.nullable());
    if (!entry) throw new InvalidInput(`There is no changelog entry ${entryId}`);
    if (!entry.published) return "suppressed";
    await announceOnSite(parts, {
      id: entryId,
      priority: "high",
      title: entry.title,
      message: entry.tldr || entry.title,
      action_label: "Read release notes",
      action_href: `/changelog/${entry.slug}`,
    });
    const page = { category: "changelog", slug: entry.slug, tags: [] };
    for (const table of ["changelog", "notifications"]) {
      const about = {
        businessKey: entryId,
        correlationId,
        nowMs: now(),
        idempotency: { scope: `changelog-notify/${table}`, key: entryId },
      };
      const change = { table, change: "INSERT", current: table === "changelog" ? page : null, former: null } as const;
      await sender.send("revalidation", makeEnvelope("revalidation", change, about));
    }
    return announceOnChannel(parts, "changelog", {
      key: changelogKey(entryId),
      message: releaseMessage(entry, siteUrl),
    });
  };
}

export const handler = createWorker("changelog-notify", async () => {
  const table = realTable();
  return {
    table,
    now,
    handle: createChangelogNotifyHandler({
      supabase: await realSupabase(),
      sender: createMessageSender(queueUrl),
      discord: realDiscord(table),
      ledger: createAnnouncementLedger({ table, now }),
      siteUrl: station.config.brand.siteUrl,
      now,
    }),
  };
});
