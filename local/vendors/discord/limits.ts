import { createHash } from "node:crypto";
import { type AnchoredWindow, createAnchoredWindow, type WindowReading } from "../anchored-window.ts";

const BURST_WINDOW_MS = 2_000;
const MINUTE_MS = 60_000;
/** Requests per webhook in two seconds; seen by users, not published. */
export const BURST_LIMIT = 5;
/** Thirty a minute for five in two seconds: second-hand as well, and kept in proportion when the limit is changed. */
const MINUTE_PER_BURST = 6;

export type Taken = {
  headers: Record<string, string>;
  /** Set when the request is refused. */
  refused?: { retryAfterSeconds: number };
};

export type WebhookLimits = { take: (webhookId: string) => Taken };

/**
 * Discord's rate limits, each webhook on its own. The headers tell of the short window only; the minute's shows itself
 * first in a 429, with the scope `shared`. `burstLimit` is read each time.
 */
export function createWebhookLimits(now: () => number, burstLimit: () => number): WebhookLimits {
  const windows = new Map<string, { burst: AnchoredWindow; minute: AnchoredWindow }>();

  function windowsOf(webhookId: string) {
    const known = windows.get(webhookId);
    if (known) return known;
    const fresh = {
      burst: createAnchoredWindow({ now, lengthMs: BURST_WINDOW_MS, limit: burstLimit }),
      minute: createAnchoredWindow({ now, lengthMs: MINUTE_MS, limit: () => burstLimit() * MINUTE_PER_BURST }),
    };
    windows.set(webhookId, fresh);
    return fresh;
  }

  return {
    take(webhookId) {
      const { burst, minute } = windowsOf(webhookId);
      for (const [window, scope] of [[minute, "shared"] as const, [burst, "user"] as const]) {
        const reading = window.read();
        if (reading.remaining > 0) continue;
        const headers = {
          ...rateHeaders(webhookId, reading),
          "retry-after": String(Math.ceil(reading.endsInMs / 1_000)),
          "x-ratelimit-scope": scope,
        };
        return { headers, refused: { retryAfterSeconds: reading.endsInMs / 1_000 } };
      }
      burst.use();
      minute.use();
      return { headers: rateHeaders(webhookId, burst.read()) };
    },
  };
}

function rateHeaders(webhookId: string, reading: WindowReading): Record<string, string> {
  return {
    "x-ratelimit-limit": String(reading.limit),
    "x-ratelimit-remaining": String(reading.remaining),
    "x-ratelimit-reset": (reading.endsAtMs / 1_000).toFixed(3),
    "x-ratelimit-reset-after": (reading.endsInMs / 1_000).toFixed(3),
    "x-ratelimit-bucket": createHash("md5").update(webhookId).digest("hex"),
  };
}

/** The 429 itself; `retry_after` is in seconds, with decimals, while the header of that name is rounded up. */
export function rateLimitedResponse(retryAfterSeconds: number, headers?: Record<string, string>): Response {
  const body = { message: "You are being rate limited.", retry_after: retryAfterSeconds, global: false };
  return Response.json(body, { status: 429, headers });
}
