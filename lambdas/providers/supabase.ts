import { createClient, type PostgrestError } from "@supabase/supabase-js";
import * as z from "zod";
import { InvalidInput, PermanentFailure } from "../core/outcome.ts";
import { ProviderMisconfigured, ProviderUnavailable } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { correlationId, log } from "../runtime/logger.ts";

/** The database, as the station uses it: functions only, each checked against the shape it must answer with. */
export interface SupabaseProvider {
  /**
   * Calls a database function and parses its answer. Throws InvalidInput or PermanentFailure when the database
   * refuses the arguments, ProviderMisconfigured when it knows no such function or key, ProviderUnavailable when it did not answer: then the effect may or may not have happened,
   * which every function here bears. Throws Deferred while the breaker is open.
   */
  call<S extends z.ZodType>(rpcName: string, args: Record<string, unknown>, answer: S): Promise<z.infer<S>>;
}

/** Arguments whose values say nothing about a person; all others are logged as their kind only. */
const loggableArguments = new Set([
  "p_now",
  "p_limit",
  "p_after",
  "p_week_start",
  "p_lease_seconds",
  "p_subscription_id",
]);

export function createSupabase(options: {
  url: string;
  serviceRoleKey: string;
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}): SupabaseProvider {
  const { url, serviceRoleKey, timeoutMs, breaker, now } = options;
  const client = createClient(url, serviceRoleKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      fetch: (input, init) => {
        const headers = new Headers(init?.headers);
        const id = correlationId();
        if (id) headers.set("x-correlation-id", id);
        return fetch(input, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) });
      },
    },
  });
  return {
    async call(rpcName, args, answer) {
      await breaker?.admit();
      const startedMs = now();
      const { data, error, status } = await client.rpc(rpcName, args);
      const facts = { rpc_name: rpcName, args: redact(args), duration_ms: now() - startedMs };
      if (error) {
        log.warn("rpc.failed", { ...facts, status, code: error.code });
        const restUntilMs = isDown(error, status)
          ? await breaker?.failed(startedMs)
          : await breaker?.answered(startedMs).then(() => undefined);
        throw failureOf(rpcName, error, { status, restUntilMs });
      }
      await breaker?.answered(startedMs);
      log.info("rpc.called", { ...facts, row_count: rowCount(data) });
      return answer.parse(data);
    },
  };
}

function redact(args: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => [
      name,
      loggableArguments.has(name) ? value : Array.isArray(value) ? `array of ${value.length}` : typeof value,
    ]),
  );
}

function rowCount(data: unknown): number {
  if (data === null || data === undefined) return 0;
  return Array.isArray(data) ? data.length : 1;
}

/**
 * Postgres classes: 22 bad values, 23 broken constraints, P0001 a function's own refusal. 42 (unknown or forbidden),
 * PGRST2xx (no such function) and PGRST3xx (key not accepted) are no message's fault: a migration is not applied yet,
 * PostgREST has not noticed it, or a key was rotated.
 */
function failureOf(
  rpcName: string,
  error: PostgrestError,
  { status, restUntilMs }: { status: number; restUntilMs: number | undefined },
): Error {
  const what = `Database function ${rpcName} failed with ${error.code || status}: ${error.message}`;
  if (/^22/.test(error.code)) return new InvalidInput(what);
  if (/^(23|P0001)/.test(error.code)) return new PermanentFailure(what);
  if (/^(42|PGRST[23])/.test(error.code) || status === 401) return new ProviderMisconfigured(what);
  return new ProviderUnavailable(what, { restUntilMs });
}

/**
 * Whether the database as a whole failed, and not one function of it. No answer or a proxy's page has no code. Classes:
 * 08 no connection, 53 out of resources, 57 shut down or timed out, 58 the system failed; PGRST0 PostgREST has no database.
 */
function isDown({ code }: PostgrestError, status: number): boolean {
  if (/^(08|53|57|58)...$|^PGRST0/.test(code)) return true;
  return (status === 0 || status >= 500) && !/^([0-9A-Z]{5}|PGRST\d+)$/.test(code);
}

/** For functions that answer nothing. */
export const nothing = z.unknown();
