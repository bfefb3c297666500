import * as z from "zod";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { describeError, log } from "../runtime/logger.ts";
import { jsonReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";

/** How old the number may be: nobody notices, and scraping it costs us nothing. */
const maxAgeSeconds = 300;

/**
 * Counts in the database; the original downloaded every address to count them. While the database does not answer,
 * the last number does.
 */
export function emailCount({ supabase, now }: { supabase: SupabaseProvider; now: () => number }): Route {
  let known: { count: number; atMs: number } | undefined;
  return async () => {
    if (!known || now() - known.atMs >= maxAgeSeconds * 1000) {
      try {
        known = { count: await supabase.call("get_newsletter_subscriber_count", {}, z.int()), atMs: now() };
      } catch (error) {
        if (!known) throw error;
        log.warn("count.stale", { ageMs: now() - known.atMs, ...describeError(error) });
      }
    }
    return jsonReply(
      200,
      { count: known.count },
      { "cache-control": `public, max-age=${maxAgeSeconds}, stale-while-revalidate=${maxAgeSeconds}` },
    );
  };
}
