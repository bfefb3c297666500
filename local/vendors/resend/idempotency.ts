import { createHash } from "node:crypto";
import type { Context } from "hono";
import { ResendRefusal } from "./errors.ts";

/** Resend forgets a key after this time: https://resend.com/docs/dashboard/emails/idempotency-keys. */
const KEPT_MS = 24 * 60 * 60 * 1_000;

type Answer = { status: number; body: string };
type Entry = { payloadHash: string; claimedAt: number; answer: Answer | null };

export type Idempotency = {
  /** Runs `send` once per key and payload; a repeat gets the first answer. Refusals are not remembered. */
  once: (c: Context, send: () => Promise<Response>) => Promise<Response>;
};

/** `Idempotency-Key` of `POST /emails` and `POST /emails/batch`. Payloads are compared byte for byte. */
export function createIdempotency(now: () => number): Idempotency {
  const entries = new Map<string, Entry>();

  return {
    async once(c, send) {
      const key = c.req.header("idempotency-key");
      if (key === undefined) return send();
      if (key.length < 1 || key.length > 256) {
        throw new ResendRefusal("invalid_idempotency_key", "The key must be between 1-256 chars.");
      }
      const payloadHash = createHash("sha256")
        .update(await c.req.text())
        .digest("base64");
      const known = entries.get(key);
      if (known && now() - known.claimedAt < KEPT_MS) return replay(known, payloadHash);

      const entry: Entry = { payloadHash, claimedAt: now(), answer: null };
      entries.set(key, entry);
      try {
        const response = await send();
        entry.answer = { status: response.status, body: await response.clone().text() };
        return response;
      } catch (error) {
        entries.delete(key);
        throw error;
      }
    },
  };
}

function replay(known: Entry, payloadHash: string): Response {
  if (known.payloadHash !== payloadHash) {
    throw new ResendRefusal(
      "invalid_idempotent_request",
      "This idempotency key has been used on a request with a different payload.",
    );
  }
  if (known.answer === null) {
    throw new ResendRefusal(
      "concurrent_idempotent_requests",
      "Another request with the same idempotency key is still in progress.",
    );
  }
  return new Response(known.answer.body, {
    status: known.answer.status,
    headers: { "content-type": "application/json" },
  });
}
