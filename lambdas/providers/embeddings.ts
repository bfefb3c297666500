import * as z from "zod";
import { ProviderMisconfigured, ProviderUnavailable } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { createJsonCaller, failureOf } from "./json-call.ts";

export interface EmbeddingsProvider {
  /** The vector of a text, of the configured length. A text that is too long for the model is cut. */
  embed(text: string): Promise<number[]>;
}

interface EmbeddingsOptions {
  /** Without `/v1`. */
  baseUrl: string;
  apiKey: string;
  model: { model: string; dimensions: number; shortens: boolean };
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}

/** OpenAI's limit is 8,191 tokens, and no token is shorter than a byte. */
const maximumBytes = 8191;

const embedded = z.object({ data: z.tuple([z.object({ embedding: z.array(z.number()) })]) });
const refusal = z.object({ error: z.object({ message: z.string(), code: z.string().nullish() }) });

/** Any service that answers `POST /v1/embeddings` as OpenAI does. */
export function createEmbeddings({
  baseUrl,
  apiKey,
  model,
  timeoutMs,
  breaker,
  now,
}: EmbeddingsOptions): EmbeddingsProvider {
  const call = createJsonCaller({
    provider: "embeddings",
    baseUrl,
    timeoutMs,
    breaker,
    now,
    headers: { authorization: `Bearer ${apiKey}` },
  });
  return {
    async embed(text) {
      const answer = await call("embeddings.create", {
        path: "/v1/embeddings",
        body: {
          model: model.model,
          input: withinBytes(text, maximumBytes),
          encoding_format: "float",
          ...(model.shortens ? { dimensions: model.dimensions } : {}),
        },
      });
      if (answer.status !== 200) {
        const { message, code } = refusal.safeParse(answer.body).data?.error ?? { message: "no reason given" };
        const what = `Embeddings of ${model.model}`;
        // An unknown model is a mistake in the config, and no entry's fault.
        if (answer.status === 404) throw new ProviderMisconfigured(`${what}: ${message}`);
        throw failureOf(what, answer, { code: code ?? "refused", message, nowMs: now() });
      }
      const parsed = embedded.safeParse(answer.body);
      if (!parsed.success) throw new ProviderUnavailable(`Embeddings of ${model.model} came in another shape`);
      const [{ embedding }] = parsed.data.data;
      if (embedding.length !== model.dimensions)
        throw new ProviderMisconfigured(
          `${model.model} gave a vector of ${embedding.length} numbers and not ${model.dimensions}; correct embeddings.dimensions in station.config.ts.`,
        );
      return embedding;
    },
  };
}

function withinBytes(text: string, maximum: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maximum) return text;
  // Half a character at the end is left out, as it is in the middle of a stream.
  return new TextDecoder().decode(bytes.subarray(0, maximum), { stream: true });
}
