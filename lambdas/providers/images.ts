import type { Payload } from "../core/messages.ts";
import { createGenerationService, type GenerationServiceOptions } from "./generation-service.ts";

/** The adopter's image service, which draws or shrinks a picture and stores it. Asked twice it stores the same twice. */
export interface ImagesProvider {
  generate(wish: Payload<"image-generation">): Promise<void>;
}

export function createImages(options: GenerationServiceOptions): ImagesProvider {
  const generate = createGenerationService("images", options);
  return {
    generate: (wish) =>
      generate({
        operation: `transform.${wish.type}`,
        path: `/transform/image/${wish.type}`,
        body: { userId: "system", saveToStorage: true, ...subjectOf(wish) },
        what: `Image service, ${wish.type}`,
      }),
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
