import * as z from "zod";
import type { DiscordMessage } from "../core/discord-message.ts";
import { ProviderMisconfigured, ProviderUnavailable } from "../core/provider-failure.ts";
import { acquireBehind, type Breaker } from "../runtime/breaker.ts";
import type { Pacer } from "../runtime/pacer.ts";
import { createJsonCaller, failureOf, type JsonAnswer, retryAfterMs } from "./json-call.ts";

/** One incoming webhook of Discord, which posts to one channel. Every call throws one of `core/provider-failure.ts`. */
export interface DiscordWebhook {
  /** Waits for permission to make one call; the limit is the webhook's own. */
  acquire(): Promise<void>;
  /** Posts a message and answers its id; call `acquire` first. Without an answer nobody knows whether it was posted. */
  create(message: DiscordMessage): Promise<string>;
  /** Replaces a message, which may be repeated without harm; "gone" when somebody deleted it. */
  edit(messageId: string, message: DiscordMessage): Promise<"edited" | "gone">;
}

interface DiscordWebhookOptions {
  baseUrl: string;
  /** The address as Discord shows it, or only its end: `{id}/{token}`. */
  address: string;
  timeoutMs: number;
  pacer: Pacer;
  /** Of all webhooks together: an outage is Discord's. */
  breaker?: Breaker | undefined;
  now: () => number;
}

/** https://discord.com/developers/docs/topics/opcodes-and-status-codes */
const unknownMessage = 10_008;

const posted = z.object({ id: z.string().min(1) });
const refusal = z.object({ code: z.number(), message: z.string(), errors: z.unknown().optional() });
const rateLimited = z.object({ retry_after: z.number() });

export function createDiscordWebhook(options: DiscordWebhookOptions): DiscordWebhook {
  const { baseUrl, timeoutMs, pacer, breaker, now } = options;
  // Discord's own dialog gives an address without a version, which means an old one.
  const path = `/api/v10/webhooks/${idAndToken(options.address)}`;
  const call = createJsonCaller({ provider: "discord", baseUrl, timeoutMs, breaker, isAdmitted: true, now });
  const acquire = () => acquireBehind(breaker, () => pacer.acquire("bulk"));

  const noteLimit = async ({ status, headers, body }: JsonAnswer): Promise<void> => {
    if (status === 429) {
      // The body has fractions of a second, the header only whole ones.
      const exact = rateLimited.safeParse(body).data?.retry_after;
      await pacer.pause(now() + (exact === undefined ? retryAfterMs(headers) : Math.ceil(exact * 1000)), "overrun");
    } else if (headers.get("x-ratelimit-remaining") === "0") {
      await pacer.pause(now() + Math.ceil(Number(headers.get("x-ratelimit-reset-after")) * 1000), "announced");
    }
  };

  const failed = (operation: string, answer: JsonAnswer): Error => {
    const { code, message, errors } = refusal.safeParse(answer.body).data ?? { code: 0, message: "no reason given" };
    const reason = `${message}${errors === undefined ? "" : ` ${JSON.stringify(errors)}`}`;
    const what = `Discord ${operation}`;
    // A webhook that was deleted, or the end of its address copied wrong, is no message's fault.
    if (answer.status === 404 && code !== unknownMessage) return new ProviderMisconfigured(`${what}: ${reason}`);
    return failureOf(what, answer, { code: String(code), message: reason, nowMs: now() });
  };

  return {
    acquire,

    async create(message) {
      const answer = await call("messages.create", { path: `${path}?wait=true`, body: message });
      await noteLimit(answer);
      if (answer.status !== 200) throw failed("messages.create", answer);
      const { data } = posted.safeParse(answer.body);
      if (!data) throw new ProviderUnavailable("Discord messages.create: it answered 200 without a message");
      return data.id;
    },

    async edit(messageId, message) {
      await acquire();
      const answer = await call("messages.edit", {
        path: `${path}/messages/${messageId}`,
        method: "PATCH",
        body: message,
      });
      await noteLimit(answer);
      if (answer.status === 200) return "edited";
      if (answer.status === 404 && refusal.safeParse(answer.body).data?.code === unknownMessage) return "gone";
      throw failed("messages.edit", answer);
    },
  };
}

function idAndToken(address: string): string {
  const [, id, token] =
    /^(?:https:\/\/[^/]+\/api(?:\/v\d+)?\/webhooks\/)?(\d+)\/([\w-]+)\/?$/.exec(address.trim()) ?? [];
  if (id && token) return `${id}/${token}`;
  throw new ProviderMisconfigured("A Discord webhook's address must end in /{id}/{token}; copy it from Discord again.");
}
