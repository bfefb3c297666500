import { Hono } from "hono";
import { z } from "zod";
import type { Exchange } from "./recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "./stand-in.ts";

export type SiteOptions = {
  secret: string;
  /** Where the site looks for the secret: the field `secret` of the body, or the header `x-revalidate-secret`. */
  secretIn: "body" | "header";
  /** Public address, without a trailing slash; recordings show it. */
  siteUrl: string;
  now: () => number;
  seed?: number;
  record?: (exchange: Exchange) => void;
  port?: number;
};

type Revalidation = { at: string; paths: string[]; tags: string[] };

const slugPart = z.string().min(1).max(200);
const bodySchema = z.object({
  secret: z.string().optional(),
  category: slugPart.optional(),
  slug: slugPart.optional(),
  tags: z.array(z.string().min(1).max(256)).optional(),
});

/**
 * The adopter's Next.js site as far as the station knows it: `POST /api/revalidate` with `{category?, slug?, tags?}`.
 * Its state is `revalidations`, oldest first: which paths and tags are stale since when.
 */
export function startSite(options: SiteOptions): Promise<StandIn> {
  const revalidations: Revalidation[] = [];

  const routes = new Hono<VendorEnv>()
    .post("/api/revalidate", async (c) => {
      const parsed = bodySchema.safeParse(await c.req.json().catch(() => undefined));
      if (!parsed.success)
        return c.json({ error: "Invalid request body", details: z.prettifyError(parsed.error) }, 400);
      const { category, slug, tags = [] } = parsed.data;
      const given = options.secretIn === "body" ? parsed.data.secret : c.req.header("x-revalidate-secret");
      if (given !== options.secret) return c.json({ error: "Unauthorized" }, 401);
      if (category === undefined && tags.length === 0) {
        return c.json({ error: "Either category or tags must be given" }, 400);
      }
      const paths =
        category === undefined ? [] : ["/", `/${category}`, ...(slug === undefined ? [] : [`/${category}/${slug}`])];
      const at = new Date(options.now()).toISOString();
      revalidations.push({ at, paths, tags });
      return c.json({
        revalidated: true,
        ...(paths.length > 0 ? { paths } : {}),
        ...(tags.length > 0 ? { tags } : {}),
        timestamp: at,
      });
    })
    .all("/api/revalidate", (c) => c.json({ error: "Method not allowed" }, 405));

  return startStandIn({
    vendor: "site",
    publishedUrl: options.siteUrl,
    routes,
    state: { revalidations: () => revalidations },
    now: options.now,
    seed: options.seed,
    answerFault: (status) =>
      Response.json(
        { error: status === 429 ? "Too many requests" : "Internal server error" },
        { status, headers: status === 429 ? { "retry-after": "1" } : {} },
      ),
    record: options.record,
    port: options.port,
  });
}
