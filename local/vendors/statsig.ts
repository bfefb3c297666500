import { Hono } from "hono";
import { z } from "zod";
import type { Exchange } from "./recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "./stand-in.ts";

export type StatsigOptions = {
  /** The server secret; callers send it as `statsig-api-key`. */
  apiKey: string;
  /** By name; a gate that is not named is closed, as at the vendor. */
  gates?: Record<string, boolean>;
  now: () => number;
  seed?: number;
  record?: (exchange: Exchange) => void;
  port?: number;
};

const gatesSchema = z.record(z.string().min(2).max(100), z.boolean());
const user = z.looseObject({ userID: z.string().optional() });
const checkSchema = z.object({ gateName: z.string().min(2).max(100), user });
const logSchema = z.object({
  events: z
    .array(
      z.object({
        eventName: z.string().min(1),
        user: user.optional(),
        value: z.union([z.string(), z.number()]).nullish(),
        metadata: z.record(z.string(), z.unknown()).nullish(),
        time: z.union([z.number(), z.string()]).optional(),
      }),
    )
    .max(500),
});

type LoggedEvent = { at: string; eventName: string; userId: string | null; value: unknown; metadata: unknown };

/**
 * Statsig's HTTP API on this machine, as published at https://docs.statsig.com/http-api: `POST /v1/check_gate` and
 * `POST /v1/log_event`. `PUT /_gates` replaces the gates; the state has `gates` and `events`, oldest first.
 */
export function startStatsig(options: StatsigOptions): Promise<StandIn> {
  const { now, record } = options;
  let gates = options.gates ?? {};
  const events: LoggedEvent[] = [];

  const api = new Hono<VendorEnv>()
    .use(async (c, next) => {
      if (c.req.header("statsig-api-key") === options.apiKey) return next();
      return c.json({ message: "Invalid statsig-api-key" }, 401);
    })
    .post("/check_gate", async (c) => {
      const parsed = checkSchema.safeParse(await c.req.json().catch(() => undefined));
      if (!parsed.success) return c.json({ message: z.prettifyError(parsed.error) }, 400);
      const { gateName } = parsed.data;
      const value = Object.hasOwn(gates, gateName) && gates[gateName] === true;
      const rule = value ? { rule_id: "everyone", group_name: "Everyone" } : { rule_id: null, group_name: null };
      return c.json({ name: gateName, value, ...rule });
    })
    .post("/log_event", async (c) => {
      const parsed = logSchema.safeParse(await c.req.json().catch(() => undefined));
      if (!parsed.success) return c.json({ message: z.prettifyError(parsed.error) }, 400);
      const at = new Date(now()).toISOString();
      for (const event of parsed.data.events) {
        events.push({
          at,
          eventName: event.eventName,
          userId: event.user?.userID ?? null,
          value: event.value ?? null,
          metadata: event.metadata ?? null,
        });
      }
      return c.json({ success: true }, 202);
    });

  const routes = new Hono<VendorEnv>().route("/v1", api).put("/_gates", async (c) => {
    const parsed = gatesSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: z.prettifyError(parsed.error) }, 400);
    gates = parsed.data;
    return c.json(gates);
  });

  return startStandIn({
    vendor: "statsig",
    publishedUrl: "https://api.statsig.com",
    routes,
    state: { gates: () => gates, events: () => events },
    now,
    seed: options.seed,
    // What is sent to the stand-in itself is no exchange with the vendor.
    record: record && ((exchange) => exchange.url.endsWith("/_gates") || record(exchange)),
    port: options.port,
  });
}
