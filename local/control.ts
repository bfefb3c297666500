import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { z } from "zod";
import { untilQuiet } from "./advance.ts";
import type { Station } from "./station.ts";

const advanceWish = z.object({ ms: z.int().min(0) });
const fireWish = z.object({ schedule: z.string(), at: z.iso.datetime({ offset: true }).optional() });
const quietWish = z.object({ waitMs: z.int().min(0).max(600_000) });

/**
 * What the operator's command asks of a station on this machine and AWS has no call for: moving time, firing a
 * schedule, waiting for rest, adding up. Only this machine can reach it, and only with the internal secret.
 */
export async function startControl(
  station: Station,
  { now, secret, chaos }: { now: () => number; secret: string; chaos?: Hono },
): Promise<{ url: string; close(): Promise<void> }> {
  const app = new Hono()
    .use(async (context, next) => {
      if (context.req.header("x-internal-secret") !== secret)
        return context.json({ error: "wrong internal secret" }, 401);
      return next();
    })
    .onError((error, context) => context.json({ error: error.message }, error instanceof z.ZodError ? 400 : 500))
    .get("/report", async (context) =>
      context.json({
        now: new Date(now()).toISOString(),
        queues: station.tally.queues(),
        troubles: station.tally.troubles(),
        pending: await station.stack.pending(),
        deadLetters: await station.stack.deadLetters(),
        held: await station.stack.held(),
        operations: station.stack.operations(),
      }),
    )
    .post("/advance", async (context) => {
      const { ms } = advanceWish.parse(await context.req.json());
      return context.json({ fired: await station.advance(ms), now: new Date(now()).toISOString() });
    })
    .post("/fire", async (context) => {
      const { schedule, at } = fireWish.parse(await context.req.json());
      const delivery = await station.stack.fire(schedule, at ? Date.parse(at) : now());
      return context.json({ delivered: delivery.delivered });
    })
    .post("/quiet", async (context) => {
      const { waitMs } = quietWish.parse(await context.req.json());
      await untilQuiet(station.stack, waitMs);
      return context.json({ quiet: true });
    });
  if (chaos) app.route("/chaos", chaos);
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) =>
      resolve({
        url: `http://127.0.0.1:${port}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            if ("closeAllConnections" in server) server.closeAllConnections();
          }),
      }),
    );
  });
}
