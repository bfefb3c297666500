import * as z from "zod";
import { ProviderMisconfigured, ProviderUnavailable } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { correlationId, describeError } from "../runtime/logger.ts";

const verdict = z.object({ success: z.boolean(), "error-codes": z.array(z.string()).default([]) });

/** Cloudflare's captcha. */
export interface Turnstile {
  /**
   * Whether the token is of a visitor who solved the challenge in the last five minutes. A token counts once, unless
   * it is asked about again with the same `idempotencyKey` (a UUID). Throws ProviderUnavailable without an answer, and
   * Deferred while the breaker is open.
   */
  verify(token: string, remoteIp: string, idempotencyKey?: string): Promise<boolean>;
}

export function createTurnstile({
  secret,
  baseUrl,
  timeoutMs,
  breaker,
  now,
}: {
  secret: string;
  baseUrl: string;
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}): Turnstile {
  return {
    async verify(token, remoteIp, idempotencyKey) {
      const { success, "error-codes": codes } = await ask({
        secret,
        response: token,
        remoteip: remoteIp,
        ...(idempotencyKey ? { idempotency_key: idempotencyKey } : {}),
      });
      if (codes.some((code) => code.endsWith("-input-secret")))
        throw new ProviderMisconfigured("Turnstile does not know our secret: look at turnstileSecret.");
      if (codes.includes("internal-error")) throw new ProviderUnavailable("Turnstile failed on its side.");
      return success;
    },
  };

  async function ask(question: Record<string, string>): Promise<z.infer<typeof verdict>> {
    await breaker?.admit();
    const startedMs = now();
    let status: number | null = null;
    try {
      const id = correlationId();
      const response = await fetch(`${baseUrl}/turnstile/v0/siteverify`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(id ? { "x-correlation-id": id } : {}) },
        body: JSON.stringify(question),
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.status;
      const answer = verdict.parse(await response.json());
      await breaker?.answered(startedMs);
      return answer;
    } catch (error) {
      const restUntilMs = status !== null && status < 500 ? undefined : await breaker?.failed(startedMs);
      const what = `Turnstile did not answer: ${describeError(error).errorMessage}`;
      throw new ProviderUnavailable(what, { cause: error, restUntilMs });
    }
  }
}
