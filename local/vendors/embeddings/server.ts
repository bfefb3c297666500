import { Hono } from "hono";
import { z } from "zod";
import { createAnchoredWindow } from "../anchored-window.ts";
import type { Exchange } from "../recording.ts";
import { createSeededFaults, type StandIn, startStandIn, type VendorEnv } from "../stand-in.ts";
import { embed, shorten } from "./vectors.ts";

const MINUTE_MS = 60_000;
const REQUESTS_PER_MINUTE = 3_000;
// Published at https://platform.openai.com/docs/api-reference/embeddings/create.
const MAX_TOKENS = 8_191;
const MAX_TOKENS_PER_REQUEST = 300_000;
const MAX_INPUTS = 2_048;

/** `shortens` says whether the model takes the `dimensions` parameter. */
export type EmbeddingModel = { dimensions: number; shortens: boolean };

const OPENAI_MODELS: Record<string, EmbeddingModel> = {
  "text-embedding-3-small": { dimensions: 1_536, shortens: true },
  "text-embedding-3-large": { dimensions: 3_072, shortens: true },
  "text-embedding-ada-002": { dimensions: 1_536, shortens: false },
};

export type EmbeddingsOptions = {
  /** The only key that is let in. */
  apiKey: string;
  /** By default OpenAI's. */
  models?: Record<string, EmbeddingModel>;
  now: () => number;
  record?: (exchange: Exchange) => void;
  port?: number;
  /** Requests per minute; the `limit` fault says otherwise. */
  limit?: number;
  /** Seed of the dice that decide faults. */
  seedRandom?: number;
};

type Embedded = { at: string; model: string; dimensions: number; inputs: number; tokens: number };

const text = z.string().min(1);
const bodySchema = z.object({
  model: z.string(),
  input: z.union([text, z.array(text).min(1).max(MAX_INPUTS)]),
  dimensions: z.int().min(1).optional(),
  encoding_format: z.enum(["float", "base64"]).default("float"),
  user: z.string().optional(),
});

/**
 * OpenAI's `POST /v1/embeddings`, which others offer as well, on this machine. The vectors mean little but are
 * repeatable; tokens are guessed at four bytes each. Its state is `embeddings`, one line per request.
 */
export function startEmbeddings(options: EmbeddingsOptions): Promise<StandIn> {
  const { now } = options;
  const models = options.models ?? OPENAI_MODELS;
  const faults = createSeededFaults(options.seedRandom);
  const minute = createAnchoredWindow({
    now,
    lengthMs: MINUTE_MS,
    limit: () => faults.current().limit ?? options.limit ?? REQUESTS_PER_MINUTE,
  });
  const embedded: Embedded[] = [];

  const routes = new Hono<VendorEnv>()
    .use("/v1/*", async (c, next) => {
      if (c.req.header("authorization") !== `Bearer ${options.apiKey}`) {
        c.res = refusal(401, "Incorrect API key provided.", { code: "invalid_api_key" });
        return;
      }
      const refused = minute.read().remaining === 0;
      if (!refused) minute.use();
      const { limit, remaining, endsInMs } = minute.read();
      if (refused) c.res = rateLimited(limit, Math.ceil(endsInMs / 1_000));
      else await next();
      c.res.headers.set("x-ratelimit-limit-requests", String(limit));
      c.res.headers.set("x-ratelimit-remaining-requests", String(remaining));
      c.res.headers.set("x-ratelimit-reset-requests", `${endsInMs / 1_000}s`);
    })
    .post("/v1/embeddings", async (c) => {
      const parsed = bodySchema.safeParse(await c.req.json().catch(() => undefined));
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        return refusal(400, `Invalid request body. ${issue?.message ?? ""}`, { param: issue?.path.join(".") || null });
      }
      const { model: name, input, dimensions, encoding_format } = parsed.data;
      const model = Object.hasOwn(models, name) ? models[name] : undefined;
      if (!model) {
        const message = `The model \`${name}\` does not exist or you do not have access to it.`;
        return refusal(404, message, { code: "model_not_found" });
      }
      const shape = checkDimensions(model, dimensions);
      if (shape) return shape;

      const inputs = typeof input === "string" ? [input] : input;
      const tokens = inputs.map((one) => Math.ceil(Buffer.byteLength(one) / 4));
      const total = tokens.reduce((sum, count) => sum + count, 0);
      const longest = Math.max(...tokens);
      if (longest > MAX_TOKENS) {
        const message = `This model's maximum context length is ${MAX_TOKENS} tokens, however you requested ${longest} tokens.`;
        return refusal(400, `${message} Please reduce your prompt.`);
      }
      if (total > MAX_TOKENS_PER_REQUEST) {
        return refusal(400, `Requested ${total} tokens, max ${MAX_TOKENS_PER_REQUEST} tokens per request`);
      }
      const length = dimensions ?? model.dimensions;
      const data = inputs.map((one, index) => {
        const vector = shorten(embed(one, model.dimensions), length);
        return { object: "embedding", index, embedding: encoding_format === "base64" ? toBase64(vector) : vector };
      });
      embedded.push({
        at: new Date(now()).toISOString(),
        model: name,
        dimensions: length,
        inputs: inputs.length,
        tokens: total,
      });
      return c.json({ object: "list", data, model: name, usage: { prompt_tokens: total, total_tokens: total } });
    });
  routes.notFound((c) => refusal(404, `Invalid URL (${c.req.method} ${c.req.path})`));

  return startStandIn({
    vendor: "embeddings",
    publishedUrl: "https://api.openai.com",
    routes,
    state: { embeddings: () => embedded },
    now,
    faults,
    answerFault: (status) =>
      status === 429
        ? rateLimited(minute.read().limit, 1)
        : refusal(500, "The server had an error while processing your request. Sorry about that!", {
            type: "server_error",
          }),
    record: options.record,
    port: options.port,
  });
}

function checkDimensions(model: EmbeddingModel, dimensions: number | undefined): Response | undefined {
  if (dimensions === undefined) return undefined;
  if (!model.shortens) return refusal(400, "This model does not support specifying dimensions.");
  if (dimensions <= model.dimensions) return undefined;
  const message = `Invalid value for 'dimensions' = ${dimensions}. Must be less than or equal to ${model.dimensions}.`;
  return refusal(400, message, { param: "dimensions" });
}

/** Little-endian 32-bit floats, the form the vendor's own SDK asks for. */
function toBase64(vector: number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}

function rateLimited(limit: number, retryAfterSeconds: number): Response {
  const message = `Rate limit reached for requests per min (RPM): Limit ${limit}. Please try again in ${retryAfterSeconds}s.`;
  const response = refusal(429, message, { type: "requests", code: "rate_limit_exceeded" });
  response.headers.set("retry-after", String(retryAfterSeconds));
  return response;
}

type RefusalDetails = { type?: string; param?: string | null; code?: string };

function refusal(status: number, message: string, details: RefusalDetails = {}): Response {
  const { type = "invalid_request_error", param = null, code = null } = details;
  return Response.json({ error: { message, type, param, code } }, { status });
}
