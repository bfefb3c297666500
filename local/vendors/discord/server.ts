import { Hono } from "hono";
import type { Exchange } from "../recording.ts";
import { createSeededFaults, type StandIn, startStandIn, type VendorBindings } from "../stand-in.ts";
import { type Channel, createChannel, createSnowflakes, type DiscordWebhook, publishedMessage } from "./channel.ts";
import { DiscordRefusal, refusalResponse } from "./errors.ts";
import { BURST_LIMIT, createWebhookLimits, rateLimitedResponse } from "./limits.ts";
import { readEdit, readNewMessage } from "./message-body.ts";

export type DiscordOptions = {
  /** All that exist; their names are the default author of messages. */
  webhooks: readonly DiscordWebhook[];
  now: () => number;
  record?: (exchange: Exchange) => void;
  port?: number;
  /** Requests per webhook in two seconds, and six times as many in a minute; the `limit` fault says otherwise. */
  limit?: number;
  /** Seed of the dice that decide faults. */
  seedRandom?: number;
};

type DiscordEnv = { Bindings: VendorBindings; Variables: { channel: Channel } };

/**
 * Discord's incoming webhooks on this machine, as published at https://discord.com/developers/docs/resources/webhook:
 * create, get, edit and delete of messages under `/api/v10`. Not played: threads, files, components, polls.
 */
export function startDiscord(options: DiscordOptions): Promise<StandIn> {
  const { now } = options;
  const faults = createSeededFaults(options.seedRandom);
  const limits = createWebhookLimits(now, () => faults.current().limit ?? options.limit ?? BURST_LIMIT);
  const nextId = createSnowflakes(now);
  const channels = new Map(options.webhooks.map((webhook) => [webhook.id, createChannel(webhook, now, nextId)]));

  const routes = new Hono<DiscordEnv>()
    .basePath("/api/v10/webhooks/:webhookId/:token")
    .use(async (c, next) => {
      const channel = findChannel(channels, c.req.param("webhookId"), c.req.param("token"));
      c.set("channel", channel);
      const { headers, refused } = limits.take(channel.webhook.id);
      if (refused) c.res = rateLimitedResponse(refused.retryAfterSeconds);
      else await next();
      for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
    })
    .post("/", async (c) => {
      const channel = c.get("channel");
      const message = channel.post(await readNewMessage(c));
      return c.req.query("wait") === "true" ? c.json(publishedMessage(channel, message)) : c.body(null, 204);
    })
    .get("/messages/:messageId", (c) => {
      const channel = c.get("channel");
      return c.json(publishedMessage(channel, channel.find(c.req.param("messageId"))));
    })
    .patch("/messages/:messageId", async (c) => {
      const channel = c.get("channel");
      const edit = await readEdit(c);
      return c.json(publishedMessage(channel, channel.edit(c.req.param("messageId"), edit)));
    })
    .delete("/messages/:messageId", (c) => {
      c.get("channel").remove(c.req.param("messageId"));
      return c.body(null, 204);
    });

  routes.notFound(() => refusalResponse("notFound"));
  routes.onError((error) => {
    if (error instanceof DiscordRefusal) return refusalResponse(error.refusal, error.errors);
    return refusalResponse("internal");
  });

  return startStandIn({
    vendor: "discord",
    publishedUrl: "https://discord.com",
    routes,
    state: {
      webhooks: () => [...channels.values()].map(({ webhook: { id, name } }) => ({ id, name })),
      messages: () => [...channels.values()].flatMap(messagesOf),
    },
    now,
    faults,
    answerFault: (status) =>
      status === 429
        ? rateLimitedResponse(1, { "retry-after": "1", "x-ratelimit-scope": "user" })
        : refusalResponse("internal"),
    redactPath: (path) => path.replace(/(\/webhooks\/[^/]+\/)[^/?]+/, "$1[redacted]"),
    record: options.record,
    port: options.port,
  });
}

function findChannel(channels: Map<string, Channel>, webhookId: string, token: string): Channel {
  const channel = channels.get(webhookId);
  if (!channel) throw new DiscordRefusal("unknownWebhook");
  if (token !== channel.webhook.token) throw new DiscordRefusal("invalidToken");
  return channel;
}

function messagesOf(channel: Channel): object[] {
  return channel.messages().map(({ createdAt, editedAt, ...message }) => ({
    webhook: channel.webhook.name,
    ...message,
    at: new Date(createdAt).toISOString(),
    editedAt: editedAt === null ? null : new Date(editedAt).toISOString(),
  }));
}
