import { Hono } from "hono";
import { z } from "zod";
import type { Exchange } from "./recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "./stand-in.ts";

export type PackagesOptions = {
  /** Supabase's service role key; callers send it as bearer. */
  serviceKey: string;
  /** Where the adopter's package service is, without a trailing slash; recordings show it. */
  publishedUrl: string;
  now: () => number;
  seed?: number;
  record?: (exchange: Exchange) => void;
  port?: number;
};

/** Which categories have a generator, and the kind of file it makes. */
const GENERATORS: Record<string, string> = { skills: "zip", mcp: "mcpb" };

type Package = { at: string; content_id: string; category: string; slug: string; path: string };

const bodySchema = z.object({
  content_id: z.string().min(1),
  category: z.string().min(1),
  slug: z.string().min(1),
  created_at: z.iso.datetime({ offset: true }),
});

/**
 * The adopter's package service: `POST /content/generate-package/process` with one message `{content_id, category,
 * slug, created_at}` makes a download of an entry. Asking twice makes it twice; the state `packages` tells.
 */
export function startPackages(options: PackagesOptions): Promise<StandIn> {
  const packages: Package[] = [];

  const routes = new Hono<VendorEnv>().post("/content/generate-package/process", async (c) => {
    if (c.req.header("authorization") !== `Bearer ${options.serviceKey}`) {
      return c.json({ success: false, error: "Unauthorized" }, 401);
    }
    const parsed = bodySchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ success: false, error: z.prettifyError(parsed.error) }, 400);
    const { content_id, category, slug } = parsed.data;
    const extension = Object.hasOwn(GENERATORS, category) ? GENERATORS[category] : undefined;
    if (extension === undefined) {
      return c.json({ success: false, error: `Generator not found for category '${category}'` }, 400);
    }
    const path = `${category}/${slug}.${extension}`;
    packages.push({ at: new Date(options.now()).toISOString(), content_id, category, slug, path });
    return c.json({ success: true, content_id, path });
  });

  return startStandIn({
    ...options,
    vendor: "packages",
    routes,
    state: { packages: () => packages },
    answerFault: (status) =>
      Response.json(
        { success: false, error: status === 429 ? "Too many requests" : "Generation failed" },
        { status, headers: status === 429 ? { "retry-after": "1" } : {} },
      ),
  });
}
