import { DiscordRefusal } from "./errors.ts";
import { type Embed, type MessageEdit, type NewMessage, requireSomethingToShow } from "./message-body.ts";

/** One incoming webhook; its address is `/webhooks/{id}/{token}`. */
export type DiscordWebhook = { id: string; token: string; name: string };

export type Message = {
  id: string;
  content: string;
  embeds: Embed[];
  username: string;
  tts: boolean;
  flags: number;
  createdAt: number;
  editedAt: number | null;
  edits: number;
};

export type Channel = {
  webhook: DiscordWebhook;
  /** Oldest first. */
  messages: () => Message[];
  post: (message: NewMessage) => Message;
  find: (messageId: string) => Message;
  edit: (messageId: string, edit: MessageEdit) => Message;
  remove: (messageId: string) => void;
};

/** The messages that one webhook has posted, in memory. `nextId` gives Discord's snowflakes. */
export function createChannel(webhook: DiscordWebhook, now: () => number, nextId: () => string): Channel {
  const messages = new Map<string, Message>();

  function find(messageId: string): Message {
    const message = messages.get(messageId);
    if (!message) throw new DiscordRefusal("unknownMessage");
    return message;
  }

  return {
    webhook,
    messages: () => [...messages.values()],
    post(body) {
      const message: Message = {
        id: nextId(),
        content: body.content ?? "",
        embeds: body.embeds ?? [],
        username: body.username ?? webhook.name,
        tts: body.tts ?? false,
        flags: body.flags ?? 0,
        createdAt: now(),
        editedAt: null,
        edits: 0,
      };
      requireSomethingToShow(message);
      messages.set(message.id, message);
      return message;
    },
    find,
    edit(messageId, edit) {
      const message = find(messageId);
      const edited: Message = {
        ...message,
        ...(edit.content === undefined ? {} : { content: edit.content ?? "" }),
        ...(edit.embeds === undefined ? {} : { embeds: edit.embeds ?? [] }),
        ...(edit.flags === undefined || edit.flags === null ? {} : { flags: edit.flags }),
        editedAt: now(),
        edits: message.edits + 1,
      };
      requireSomethingToShow(edited);
      messages.set(messageId, edited);
      return edited;
    },
    remove(messageId) {
      find(messageId);
      messages.delete(messageId);
    },
  };
}

const DISCORD_EPOCH_MS = 1_420_070_400_000;

/** Discord's ids: milliseconds since 2015 in the upper bits, a running number below, as a decimal string. */
export function createSnowflakes(now: () => number): () => string {
  let count = 0n;
  return () => {
    count += 1n;
    return String((BigInt(Math.max(0, now() - DISCORD_EPOCH_MS)) << 22n) | (count & 0x3f_ffffn));
  };
}

/** A message as the API answers it. */
export function publishedMessage(channel: Channel, message: Message): object {
  return {
    type: 0,
    id: message.id,
    channel_id: channel.webhook.id,
    webhook_id: channel.webhook.id,
    content: message.content,
    embeds: message.embeds.map(publishedEmbed),
    mentions: [],
    mention_roles: [],
    mention_everyone: false,
    attachments: [],
    components: [],
    pinned: false,
    tts: message.tts,
    flags: message.flags,
    timestamp: published(message.createdAt),
    edited_timestamp: message.editedAt === null ? null : published(message.editedAt),
    author: {
      id: channel.webhook.id,
      username: message.username,
      avatar: null,
      discriminator: "0000",
      public_flags: 0,
      flags: 0,
      bot: true,
      global_name: null,
      primary_guild: null,
    },
  };
}

function publishedEmbed(embed: Embed): object {
  const { fields, ...rest } = embed;
  return {
    type: "rich",
    ...withoutEmpty(rest),
    ...(fields ? { fields: fields.map((field) => ({ ...field, inline: field.inline ?? false })) } : {}),
  };
}

/** Leaves out what is null, at any depth: Discord sends no nulls in an embed. */
function withoutEmpty(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null && inner !== undefined)
      .map(([key, inner]) => [key, typeof inner === "object" ? withoutEmpty(inner) : inner]),
  );
}

/** Discord writes times with microseconds and an offset: `2026-03-02T09:00:00.000000+00:00`. */
function published(at: number): string {
  return new Date(at).toISOString().replace("Z", "000+00:00");
}
