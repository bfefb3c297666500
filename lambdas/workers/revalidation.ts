import { revalidationsOf } from "../core/cache-tags.ts";
import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { SiteProvider } from "../providers/site.ts";
import { log } from "../runtime/logger.ts";
import { onlyOnce } from "../runtime/only-once.ts";
import { now, realSite, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

/** Makes the site's copies of a changed row stale. What the site did not confirm is tried again with the message. */
export function createRevalidationHandler({ site }: { site: SiteProvider }) {
  return async ({ payload }: Envelope<Payload<"revalidation">>): Promise<Settled> => {
    const calls = revalidationsOf(payload);
    if (calls.length === 0) log.warn("revalidation.nothing-to-do", { table: payload.table });
    for (const call of calls) await site.revalidate(call);
    return "done";
  };
}

export const handler = createWorker("revalidation", async () => {
  const parts = { table: realTable(), now };
  return { ...parts, handle: onlyOnce("revalidation", parts, createRevalidationHandler({ site: await realSite() })) };
});
