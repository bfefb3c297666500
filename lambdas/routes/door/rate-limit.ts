import { isIPv6 } from "node:net";
import { buckets } from "../../../registry/routes.ts";
import { count } from "../../runtime/metrics.ts";
import type { StateTable } from "../../runtime/state-table.ts";
import { Problem } from "./problem.ts";

const windowSeconds = 60;

/** Counts a request against its bucket; exactly as many as the bucket holds pass in a window, over all functions. */
export interface RateLimit {
  /** Answers the RateLimit-* headers for the response; throws the 429 Problem when the bucket is empty. */
  take(bucket: keyof typeof buckets, client: string): Promise<Record<string, string>>;
}

export function createRateLimit({ table, now }: { table: StateTable; now: () => number }): RateLimit {
  return {
    async take(bucket, client) {
      const limit = buckets[bucket];
      const nowSeconds = Math.floor(now() / 1000);
      const window = Math.floor(nowSeconds / windowSeconds);
      const resetSeconds = (window + 1) * windowSeconds - nowSeconds;
      const item = await table.update(
        { pk: `bucket#${bucket}#${networkOf(client)}`, sk: String(window) },
        {
          expression: "ADD hits :one SET expiresAt = :expiry",
          values: { ":one": 1, ":limit": limit, ":expiry": (window + 2) * windowSeconds },
        },
        "attribute_not_exists(hits) OR hits < :limit",
      );
      const remaining = item ? limit - Number(item.hits) : 0;
      const headers = {
        "ratelimit-limit": String(limit),
        "ratelimit-remaining": String(remaining),
        "ratelimit-reset": String(resetSeconds),
      };
      if (item) return headers;
      count("rate-limited", 1, { rate_limit_bucket: bucket });
      throw new Problem("too-many-requests", `At most ${limit} requests a minute; try again in ${resetSeconds} s.`, {
        headers: { ...headers, "retry-after": String(resetSeconds) },
      });
    },
  };
}

/**
 * A whole /64 is one client: anyone with IPv6 has that many addresses to choose from. `::ffff:192.0.2.1` is how a
 * dual-stack server names an IPv4 client; their common /64 is the whole of IPv4.
 */
export function networkOf(client: string): string {
  const mapped = /^(?:0{0,4}:)*:?ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(client)?.[1];
  if (mapped) return mapped;
  if (!isIPv6(client)) return client;
  const [head = "", tail = ""] = client.split("::");
  const groups = head.split(":").filter(Boolean);
  const behind = tail.split(":").filter(Boolean);
  const zeros = client.includes("::") ? 8 - groups.length - behind.length : 0;
  return [...groups, ...Array<string>(Math.max(0, zeros)).fill("0"), ...behind]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
