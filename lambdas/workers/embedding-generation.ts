import * as z from "zod";
import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { EmbeddingsProvider } from "../providers/embeddings.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { station } from "../runtime/configuration.ts";
import { log } from "../runtime/logger.ts";
import { now, realEmbeddings, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

interface EmbeddingParts {
  supabase: SupabaseProvider;
  embeddings: EmbeddingsProvider;
  /** Names what made a vector: vectors of another model or length are no longer up to date. */
  modelName: string;
  now: () => number;
}

const content = z.object({ text: z.string(), content_hash: z.string(), up_to_date: z.boolean() });
const stored = z.object({ outcome: z.enum(["stored", "unchanged", "outdated", "content_gone"]) });

/**
 * Gives an entry the vector of its present text. The database takes it only while the text is still the one it was
 * made of, so neither the order of messages nor their number matters (D-44, D-45).
 */
export function createEmbeddingHandler({ supabase, embeddings, modelName, now }: EmbeddingParts) {
  return async ({ payload }: Envelope<Payload<"embedding-generation">>): Promise<Settled> => {
    const { content_id: contentId } = payload;
    const found = await supabase.call(
      "get_content_for_embedding",
      { p_content_id: contentId, p_model: modelName },
      content.nullable(),
    );
    if (!found || found.text === "") {
      log.info("embedding.suppressed", { contentId, reason: found ? "it has no text" : "it was deleted" });
      return "suppressed";
    }
    if (found.up_to_date) return "done";
    const embedding = await embeddings.embed(found.text);
    const { outcome } = await supabase.call(
      "store_embedding",
      {
        p_content_id: contentId,
        p_content_hash: found.content_hash,
        p_text: found.text,
        p_embedding: embedding,
        p_now: new Date(now()).toISOString(),
        p_model: modelName,
      },
      stored,
    );
    log.info("embedding.ended", { contentId, outcome });
    return "done";
  };
}

export const handler = createWorker("embedding-generation", async () => {
  const { model, dimensions } = station.config.embeddings;
  return {
    table: realTable(),
    now,
    handle: createEmbeddingHandler({
      supabase: await realSupabase(),
      embeddings: await realEmbeddings(),
      modelName: `${model}/${dimensions}`,
      now,
    }),
  };
});
