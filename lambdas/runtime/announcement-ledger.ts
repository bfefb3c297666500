import * as z from "zod";
import { type AnnouncementRecord, nextAnnouncementStep } from "../core/announcement.ts";
import type { DiscordMessage } from "../core/discord-message.ts";
import { hashPayload } from "../core/ledger.ts";
import { Deferred, PermanentFailure } from "../core/outcome.ts";
import { ProviderMisconfigured, ProviderUnreachable } from "../core/provider-failure.ts";
import type { DiscordWebhook } from "../providers/discord.ts";
import { describeError, log } from "./logger.ts";
import { signal } from "./metrics.ts";
import { expiryAfter, type StateTable } from "./state-table.ts";

/** How long a record outlives its last change: longer than any message can come back. */
const keptDays = 90;

export interface Announcement {
  /** Such as `discord/job/{id}`: one message in the channel for each. */
  key: string;
  message: DiscordMessage;
  webhook: DiscordWebhook;
  /** Whether a message that is there already follows what it tells of; else the first one stays as it was. */
  follows?: boolean;
  /** The message's id from another source, for when the record here has expired. */
  knownMessageId?: string | null;
}

export type Announced = { outcome: "posted" | "unchanged"; messageId: string | null } | { outcome: "parked" };

/** The promise that an announcement is posted once; see `core/announcement.ts` for the rules. */
export interface AnnouncementLedger {
  announce(announcement: Announcement): Promise<Announced>;
  read(key: string): Promise<AnnouncementRecord | undefined>;
}

const stored = z.object({
  key: z.string(),
  status: z.enum(["claimed", "sending", "accepted", "refused", "parked"]),
  messageId: z.string().nullable(),
  messageHash: z.string().nullable(),
  attemptedMs: z.number().nullable(),
  reason: z.string().nullable(),
  /** Counts the changes: whoever read an older one may not write. */
  version: z.number(),
});
type Stored = z.infer<typeof stored>;

export function createAnnouncementLedger(parts: { table: StateTable; now: () => number }): AnnouncementLedger {
  const { table, now } = parts;
  const itemKey = (key: string) => ({ pk: `ledger#${key}`, sk: "announcement" });

  const read = async (key: string): Promise<Stored | undefined> => {
    const item = await table.get(itemKey(key));
    return item ? stored.parse(item) : undefined;
  };

  /** The record with the changes; undefined when somebody else changed it since it was read. */
  const change = async (record: Stored, changes: Partial<AnnouncementRecord>): Promise<Stored | undefined> => {
    const next = { ...record, ...changes, version: record.version + 1 };
    const item = { ...next, expiresAt: expiryAfter(now(), keptDays) };
    const written =
      record.version === 0
        ? await table.create(itemKey(record.key), item)
        : await table.put(itemKey(record.key), item, {
            expression: "version = :version",
            values: { ":version": record.version },
          });
    return written ? next : undefined;
  };

  const fresh = (key: string, messageId: string | null): Stored => ({
    key,
    status: messageId ? "accepted" : "claimed",
    messageId,
    messageHash: null,
    attemptedMs: null,
    reason: null,
    version: 0,
  });

  const park = async (record: Stored, reason: string): Promise<Announced> => {
    await change(record, { status: "parked", reason });
    signal("announcement-parked", { ledgerKey: record.key, reason });
    return { outcome: "parked" };
  };

  const create = async (
    record: Stored,
    { message, webhook }: Announcement,
    messageHash: string,
  ): Promise<Announced> => {
    await webhook.acquire();
    const sending = await change(record, { status: "sending", messageHash, attemptedMs: now(), messageId: null });
    if (!sending) throw new Deferred(`Somebody else works on ${record.key}`, now() + 5000);
    let messageId: string;
    try {
      messageId = await webhook.create(message);
    } catch (error) {
      if (error instanceof PermanentFailure) await change(sending, { status: "refused", reason: error.message });
      const notPosted =
        error instanceof Deferred || error instanceof ProviderMisconfigured || error instanceof ProviderUnreachable;
      if (notPosted) await change(sending, { status: "claimed", attemptedMs: null });
      if (notPosted || error instanceof PermanentFailure) throw error;
      return park(sending, describeError(error).errorMessage);
    }
    await change(sending, { status: "accepted", messageId, attemptedMs: null, reason: null });
    log.info("announcement.posted", { ledgerKey: record.key, messageId });
    return { outcome: "posted", messageId };
  };

  const edit = async (
    record: Stored,
    messageId: string,
    announcement: Announcement,
    messageHash: string,
  ): Promise<Announced> => {
    const { message, webhook } = announcement;
    if ((await webhook.edit(messageId, message)) === "gone") {
      log.warn("announcement.gone", { ledgerKey: record.key, messageId });
      return create(record, announcement, messageHash);
    }
    await change(record, { status: "accepted", messageId, messageHash });
    log.info("announcement.edited", { ledgerKey: record.key, messageId });
    return { outcome: "posted", messageId };
  };

  return {
    read,
    async announce(announcement) {
      const { key, message, follows = false, knownMessageId = null } = announcement;
      const messageHash = hashPayload(message);
      const record = (await read(key)) ?? fresh(key, knownMessageId);
      const step = nextAnnouncementStep(record, { messageHash, nowMs: now() });
      switch (step.kind) {
        case "create":
          return create(record, announcement, messageHash);
        case "edit":
          return follows
            ? edit(record, step.messageId, announcement, messageHash)
            : { outcome: "unchanged", messageId: record.messageId };
        case "unchanged":
          return { outcome: "unchanged", messageId: record.messageId };
        case "wait":
          throw new Deferred(`Another attempt to post ${key} may be under way`, step.untilMs);
        case "park":
          return park(record, step.reason);
        case "parked":
          return { outcome: "parked" };
        case "refused":
          throw new PermanentFailure(`${key} was refused before: ${record.reason}`);
      }
    },
  };
}
