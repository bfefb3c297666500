import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Exchange } from "./recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "./stand-in.ts";

const TOKEN_LIFE_MS = 300_000;
const MAX_TOKEN_LENGTH = 2_048;

export type TurnstileOptions = {
  /** The widget's secret. */
  secret: string;
  /** The site on which the widget was shown. */
  hostname: string;
  now: () => number;
  seed?: number;
  record?: (exchange: Exchange) => void;
  port?: number;
};

type ErrorCode =
  | "missing-input-secret"
  | "invalid-input-secret"
  | "missing-input-response"
  | "invalid-input-response"
  | "bad-request"
  | "timeout-or-duplicate";

/** Of each token that was good once: when, and under which idempotency key the same question may be asked again. */
type Spent = { atMs: number; idempotencyKey: string | null };
type Verification = { at: string; success: boolean; errorCodes: ErrorCode[]; remoteIp: string | null };

const bodySchema = z.object({
  secret: z.string().optional(),
  response: z.string().optional(),
  remoteip: z.string().optional(),
  idempotency_key: z.string().optional(),
});

/**
 * Cloudflare's `POST /turnstile/v0/siteverify`, as published at
 * https://developers.cloudflare.com/turnstile/get-started/server-side-validation. A visitor who passed has a token
 * that begins with `ok-`; `ok-{milliseconds}-...` says when, and it expires five minutes later. Every other token is
 * invalid. Its state is `verifications`, oldest first. A form body is taken too, but `/_calls` then shows its secret.
 */
export function startTurnstile(options: TurnstileOptions): Promise<StandIn> {
  const { now } = options;
  const spent = new Map<string, Spent>();
  const verifications: Verification[] = [];

  function findFault(body: z.output<typeof bodySchema>): ErrorCode | undefined {
    const { secret, response, idempotency_key } = body;
    if (!secret) return "missing-input-secret";
    if (secret !== options.secret) return "invalid-input-secret";
    if (!response) return "missing-input-response";
    if (!response.startsWith("ok-") || response.length > MAX_TOKEN_LENGTH) return "invalid-input-response";
    const solvedAtMs = solvedAt(response);
    if (solvedAtMs !== undefined && now() > solvedAtMs + TOKEN_LIFE_MS) return "timeout-or-duplicate";
    const before = spent.get(response);
    if (!before) {
      spent.set(response, { atMs: now(), idempotencyKey: idempotency_key ?? null });
      return undefined;
    }
    const isRetry = before.idempotencyKey === idempotency_key;
    return isRetry && now() <= before.atMs + TOKEN_LIFE_MS ? undefined : "timeout-or-duplicate";
  }

  const routes = new Hono<VendorEnv>().post("/turnstile/v0/siteverify", async (c) => {
    const parsed = bodySchema.safeParse(await readBody(c));
    const fault = parsed.success ? findFault(parsed.data) : "bad-request";
    const errorCodes = fault === undefined ? [] : [fault];
    verifications.push({
      at: new Date(now()).toISOString(),
      success: fault === undefined,
      errorCodes,
      remoteIp: parsed.data?.remoteip ?? null,
    });
    if (fault !== undefined) return c.json({ success: false, "error-codes": errorCodes, messages: [] });
    const solvedAtMs = solvedAt(parsed.data?.response ?? "") ?? now();
    return c.json({
      success: true,
      "error-codes": [],
      challenge_ts: new Date(solvedAtMs).toISOString(),
      hostname: options.hostname,
      action: "",
      cdata: "",
    });
  });

  return startStandIn({
    vendor: "turnstile",
    publishedUrl: "https://challenges.cloudflare.com",
    routes,
    state: { verifications: () => verifications },
    now,
    seed: options.seed,
    record: options.record,
    port: options.port,
  });
}

function solvedAt(token: string): number | undefined {
  const milliseconds = /^ok-(\d{13})-/.exec(token)?.[1];
  return milliseconds === undefined ? undefined : Number(milliseconds);
}

async function readBody(c: Context<VendorEnv>): Promise<unknown> {
  const type = c.req.header("content-type") ?? "";
  if (type.startsWith("application/json")) return c.req.json().catch(() => undefined);
  return Object.fromEntries(new URLSearchParams(await c.req.text()));
}
