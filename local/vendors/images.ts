import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Exchange } from "./recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "./stand-in.ts";

const MAX_INPUT_BYTES = 5 * 1_024 * 1_024;

export type ImagesOptions = {
  /** Supabase's service role key; callers send it as bearer. */
  serviceKey: string;
  /** Where the adopter's image service is, without a trailing slash; recordings and the urls of images show it. */
  publishedUrl: string;
  now: () => number;
  seed?: number;
  record?: (exchange: Exchange) => void;
  port?: number;
};

type Kind = "card" | "thumbnail" | "logo";
type Image = { kind: Kind; at: string; path: string; subject: string | null; params: unknown; inputBytes: number };

const BUCKETS: Record<Kind, string> = {
  card: "content-cards",
  thumbnail: "content-thumbnails",
  logo: "company-logos",
};
const storage = { userId: z.string().min(1), saveToStorage: z.literal(true) };
const cardSchema = z.object({
  ...storage,
  contentId: z.string().min(1).optional(),
  params: z.looseObject({
    title: z.string().trim().min(1),
    description: z.string().optional(),
    category: z.string().optional(),
    slug: z.string().optional(),
    author: z.string().optional(),
    tags: z.array(z.string()).optional(),
    featured: z.boolean().optional(),
    rating: z.number().nullish(),
    viewCount: z.number().optional(),
  }),
});
const imageData = z.base64().min(1);
const thumbnailSchema = z.object({ ...storage, imageData, contentId: z.string().min(1) });
const logoSchema = z.object({ ...storage, imageData, companyId: z.string().min(1) });

/**
 * The adopter's image service: `POST /transform/image/{card|thumbnail|logo}` makes an image and stores it. Nothing is
 * drawn here; the state `images` holds what was asked for, oldest first. Fields and limits are the original's.
 */
export function startImages(options: ImagesOptions): Promise<StandIn> {
  const images: Image[] = [];

  async function read<Schema extends z.ZodType>(c: Context<VendorEnv>, schema: Schema): Promise<z.output<Schema>> {
    const parsed = schema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) throw new Refused(z.prettifyError(parsed.error));
    return parsed.data;
  }

  function keep(
    c: Context<VendorEnv>,
    kind: Kind,
    asked: { subject: string | null; params?: unknown; input?: string },
  ) {
    const inputBytes = asked.input === undefined ? 0 : Buffer.byteLength(asked.input, "base64");
    if (inputBytes > MAX_INPUT_BYTES) {
      throw new Refused(`Image too large. Maximum ${MAX_INPUT_BYTES / 1_024 / 1_024}MB allowed.`);
    }
    const name = createHash("sha256")
      .update(JSON.stringify([kind, asked]))
      .digest("hex")
      .slice(0, 16);
    const path = `${BUCKETS[kind]}/system/${name}.png`;
    const at = new Date(options.now()).toISOString();
    images.push({ kind, at, path, subject: asked.subject, params: asked.params ?? null, inputBytes });
    return c.json({ success: true, publicUrl: `${options.publishedUrl}/storage/${path}`, path });
  }

  const transform = new Hono<VendorEnv>()
    .use(async (c, next) => {
      if (c.req.header("authorization") === `Bearer ${options.serviceKey}`) return next();
      return c.json({ success: false, error: "Unauthorized" }, 401);
    })
    .post("/card", async (c) => {
      const { contentId, params } = await read(c, cardSchema);
      return keep(c, "card", { subject: contentId ?? null, params });
    })
    .post("/thumbnail", async (c) => {
      const { contentId, imageData: input } = await read(c, thumbnailSchema);
      return keep(c, "thumbnail", { subject: contentId, input });
    })
    .post("/logo", async (c) => {
      const { companyId, imageData: input } = await read(c, logoSchema);
      return keep(c, "logo", { subject: companyId, input });
    });
  const routes = new Hono<VendorEnv>().route("/transform/image", transform);
  routes.onError((error) => {
    if (error instanceof Refused) return Response.json({ success: false, error: error.message }, { status: 400 });
    return Response.json({ success: false, error: `The stand-in failed: ${error.message}` }, { status: 500 });
  });

  return startStandIn({
    ...options,
    vendor: "images",
    routes,
    state: { images: () => images },
    answerFault: (status) =>
      Response.json(
        { success: false, error: status === 429 ? "Too many requests" : "Image optimization failed" },
        { status, headers: status === 429 ? { "retry-after": "1" } : {} },
      ),
  });
}

class Refused extends Error {
  override name = "Refused";
}
