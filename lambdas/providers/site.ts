import type { Revalidation } from "../core/cache-tags.ts";
import { ProviderMisconfigured } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { createJsonCaller, failureOf } from "./json-call.ts";

/** The adopter's own website, whose cached pages follow the database. */
export interface SiteProvider {
  /** Makes pages and tags stale; throws one of `core/provider-failure.ts`. Doing it twice is harmless. */
  revalidate(what: Revalidation): Promise<void>;
}

interface SiteOptions {
  baseUrl: string;
  secret: string;
  /** Where the site looks for the secret: the header `x-revalidate-secret`, or `secret` in the body. */
  secretIn: "header" | "body";
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}

export function createSite({ baseUrl, secret, secretIn, timeoutMs, breaker, now }: SiteOptions): SiteProvider {
  const call = createJsonCaller({
    provider: "site",
    baseUrl,
    ...(secretIn === "header" ? { headers: { "x-revalidate-secret": secret } } : {}),
    timeoutMs,
    breaker,
    now,
  });
  return {
    async revalidate({ tags, ...page }) {
      const body = {
        ...(secretIn === "body" ? { secret } : {}),
        ...page,
        ...(tags.length > 0 ? { tags } : {}),
      };
      const answer = await call("revalidate", { path: "/api/revalidate", body });
      const { status } = answer;
      if (status >= 200 && status < 300) return;
      // A site without the endpoint is not the message's fault.
      if (status === 404 || status === 405)
        throw new ProviderMisconfigured(`The site answered ${status}: it needs POST /api/revalidate`);
      throw failureOf("site revalidate", answer, { code: "refused", message: "no success", nowMs: now() });
    },
  };
}
