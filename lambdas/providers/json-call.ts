import {
  ProviderMisconfigured,
  ProviderRefused,
  ProviderUnavailable,
  ProviderUnreachable,
  RateLimited,
} from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { correlationId, describeError, log } from "../runtime/logger.ts";

/** An answer of any status, with its body as JSON; undefined where it is none. */
export interface JsonAnswer {
  status: number;
  headers: Headers;
  body: unknown;
  /** Until when the provider is left alone, where this failure of its own was one too many. */
  restUntilMs?: number | undefined;
}

interface JsonRequest {
  /** Begins with a slash, and may hold a secret: it is not logged. */
  path: string;
  /** By default POST where there is a body, else GET. */
  method?: "GET" | "POST" | "PATCH";
  body?: unknown;
}

export type JsonCaller = (operation: string, request: JsonRequest) => Promise<JsonAnswer>;

export interface JsonCallerOptions {
  provider: string;
  /** Without a slash at the end. */
  baseUrl: string;
  headers?: Record<string, string>;
  timeoutMs: number;
  /** Absent: the provider is called however often it fails. */
  breaker?: Breaker | undefined;
  /** The caller asks the breaker itself, ahead of its pacer. */
  isAdmitted?: boolean;
  now: () => number;
}

/** What `fetch` reports when it never got as far as sending the request. */
const unconnected = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * JSON over HTTP with a timeout and one log line a call. Throws ProviderUnreachable or ProviderUnavailable when there is
 * no answer, and Deferred while the breaker is open.
 */
export function createJsonCaller(options: JsonCallerOptions): JsonCaller {
  const { provider, baseUrl, headers, timeoutMs, breaker, isAdmitted = false, now } = options;
  return async (operation, { path, body, method = body === undefined ? "GET" : "POST" }) => {
    if (!isAdmitted) await breaker?.admit();
    const startedMs = now();
    const facts = () => ({ provider, operation, durationMs: now() - startedMs });
    try {
      const response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: {
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...(correlationId() ? { "x-correlation-id": correlationId() ?? "" } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      const { status } = response;
      if (response.ok) log.debug("provider.called", { ...facts(), status });
      else log.warn("provider.failed", { ...facts(), status });
      const answer = { status, headers: response.headers, body: parseJson(text) };
      if (status >= 500) return { ...answer, restUntilMs: await breaker?.failed(startedMs) };
      await breaker?.answered(startedMs);
      return answer;
    } catch (error) {
      const { errorMessage } = describeError(error);
      log.warn("provider.failed", { ...facts(), status: null, reason: errorMessage });
      const what = `${provider} ${operation} got no answer: ${errorMessage}`;
      const about = { cause: error, restUntilMs: await breaker?.failed(startedMs) };
      throw isUnconnected(error) ? new ProviderUnreachable(what, about) : new ProviderUnavailable(what, about);
    }
  };
}

/**
 * What an answer that is no success means. 401 and 403 are about our key, 429 about everyone's pace, 5xx about the
 * provider; the rest is about this one request.
 */
export function failureOf(
  what: string,
  { status, headers, restUntilMs }: JsonAnswer,
  { code, message, nowMs }: { code: string; message: string; nowMs: number },
): Error {
  const told = `${what}: ${status} ${message}`;
  if (status === 429) return new RateLimited(told, nowMs + retryAfterMs(headers));
  if (status === 401 || status === 403) return new ProviderMisconfigured(told);
  if (status >= 500 || status < 400) return new ProviderUnavailable(told, { restUntilMs });
  return new ProviderRefused(told, { status, code });
}

/** When a 429 does not say how long. */
const defaultPauseSeconds = 5;

export const retryAfterMs = (headers: Headers): number =>
  (Number(headers.get("retry-after")) || defaultPauseSeconds) * 1000;

function isUnconnected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && typeof error.code === "string" && unconnected.has(error.code)) return true;
  // A host with several addresses is tried at each: then there is one error for each.
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isUnconnected);
  return isUnconnected(error.cause);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
