import * as z from "zod";
import { ProviderUnavailable } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { createJsonCaller, failureOf } from "./json-call.ts";

export interface GenerationServiceOptions {
  baseUrl: string;
  serviceRoleKey: string;
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}

interface Generation {
  operation: string;
  path: string;
  body: unknown;
  /** How errors name what was asked for. */
  what: string;
}

/** Other fields differ between versions of the services; this alone decides. */
const generated = z.object({ success: z.boolean(), error: z.string().optional() });

/** One of the adopter's own services that make a file and store it. Resolves when it says that it succeeded. */
export function createGenerationService(
  provider: string,
  { baseUrl, serviceRoleKey, timeoutMs, breaker, now }: GenerationServiceOptions,
): (generation: Generation) => Promise<void> {
  const call = createJsonCaller({
    provider,
    baseUrl,
    timeoutMs,
    breaker,
    now,
    headers: { authorization: `Bearer ${serviceRoleKey}` },
  });
  return async ({ operation, path, body, what }) => {
    const answer = await call(operation, { path, body });
    const { success, error } = generated.safeParse(answer.body).data ?? { success: false };
    if (answer.status === 200 && success) return;
    const message = error ?? "it did not say that it succeeded";
    if (answer.status === 200) throw new ProviderUnavailable(`${what}: ${message}`);
    throw failureOf(what, answer, { code: "refused", message, nowMs: now() });
  };
}
