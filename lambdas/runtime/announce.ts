import type { DiscordMessage } from "../core/discord-message.ts";
import type { Settled } from "../core/outcome.ts";
import type { DiscordChannel } from "../core/station.ts";
import { nothing, type SupabaseProvider } from "../providers/supabase.ts";
import type { AnnouncementLedger } from "./announcement-ledger.ts";
import type { DiscordChannels } from "./real-parts.ts";

/** What the site shows signed-in people of something new. */
interface SiteAnnouncement {
  /** Of what it tells: the row's key, so that there is one for each. */
  id: string;
  priority: "high" | "medium";
  title: string;
  message: string;
  action_label: string;
  action_href: string;
}

/** Tells of something on the site, once however often it is called. */
export async function announceOnSite(
  { supabase, now }: { supabase: SupabaseProvider; now: () => number },
  announcement: SiteAnnouncement,
): Promise<void> {
  await supabase.call(
    "insert_notification",
    { p: { ...announcement, type: "announcement", fit: true }, p_now: new Date(now()).toISOString() },
    nothing,
  );
}

/** Posts once to a channel; where the config names no such channel there is nothing to do. */
export async function announceOnChannel(
  { discord, ledger }: { discord: DiscordChannels; ledger: AnnouncementLedger },
  channel: DiscordChannel,
  { key, message }: { key: string; message: DiscordMessage },
): Promise<Settled> {
  const webhook = await discord(channel);
  if (!webhook) return "done";
  const { outcome } = await ledger.announce({ key, message, webhook });
  return outcome === "parked" ? "parked" : "done";
}
