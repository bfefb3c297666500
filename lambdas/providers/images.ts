import * as z from "zod";
import type { Payload } from "../core/messages.ts";
import { ProviderUnavailable } from "../core/provider-failure.ts";
import { createJsonCaller, failureOf } from "./json-call.ts";

/** The adopter's image service, which draws or shrinks a picture and stores it. Asked twice it stores the same twice. */
export interface ImagesProvider {
  generate(wish: Payload<"image-generation">): Promise<void>;
}

interface ImagesOptions {
  baseUrl: string;
  serviceRoleKey: string;
  timeoutMs: number;
  now: () => number;
}

/** Other fields differ between versions of the service; this alone decides. */
const generated = z.object({ success: z.boolean(), error: z.string().optional() });

export function createImages({ baseUrl, serviceRoleKey, timeoutMs, now }: ImagesOptions): ImagesProvider {
  const call = createJsonCaller({
    provider: "images",
    baseUrl,
    timeoutMs,
    now,
    headers: { authorization: `Bearer ${serviceRoleKey}` },
  });
  return {
    async generate(wish) {
      const answer = await call(`transform.${wish.type}`, {
        path: `/transform/image/${wish.type}`,
        body: { userId: "system", saveToStorage: true, ...subjectOf(wish) },
      });
      const { success, error } = generated.safeParse(answer.body).data ?? { success: false };
      if (answer.status === 200 && success) return;
      const message = error ?? "it did not say that it succeeded";
      if (answer.status === 200) throw new ProviderUnavailable(`Image service, ${wish.type}: ${message}`);
      throw failureOf(`Image service, ${wish.type}`, answer, { code: "refused", message, nowMs: now() });
    },
  };
}

function subjectOf(wish: Payload<"image-generation">): Record<string, unknown> {
  switch (wish.type) {
    case "card":
      return { params: wish.params, ...(wish.content_id ? { contentId: wish.content_id } : {}) };
    case "thumbnail":
      return { contentId: wish.content_id, imageData: wish.image_data };
    case "logo":
      return { companyId: wish.company_id, imageData: wish.image_data };
  }
}
