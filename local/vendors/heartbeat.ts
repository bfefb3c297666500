import { type Context, Hono } from "hono";
import type { Exchange } from "./recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "./stand-in.ts";

export type HeartbeatOptions = {
  now: () => number;
  seed?: number;
  record?: (exchange: Exchange) => void;
  port?: number;
};

/** One ping. `failed` is true for `/{id}/fail`; `note` is what the caller posted with it. */
type Beat = { id: string; at: string; failed: boolean; note: string };

/**
 * BetterStack's heartbeats: `GET|HEAD|POST /{id}` reports a run that went well, `/{id}/fail` one that did not. Their
 * state is `beats`, oldest first. Published at https://uptime.betterstack.com/api/v1/heartbeat/{id}.
 */
export function startHeartbeat(options: HeartbeatOptions): Promise<StandIn> {
  const beats: Beat[] = [];

  const accept = (failed: boolean) => async (c: Context<VendorEnv>) => {
    beats.push({
      id: c.req.param("id") ?? "",
      at: new Date(options.now()).toISOString(),
      failed,
      note: await c.req.text(),
    });
    return c.body("");
  };

  // Hono answers HEAD with the GET handler.
  const routes = new Hono<VendorEnv>()
    .on(["GET", "POST"], "/:id", accept(false))
    .on(["GET", "POST"], "/:id/fail", accept(true));

  return startStandIn({
    ...options,
    vendor: "heartbeat",
    publishedUrl: "https://uptime.betterstack.com/api/v1/heartbeat",
    routes,
    state: { beats: () => beats },
  });
}
