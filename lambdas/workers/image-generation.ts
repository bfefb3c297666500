import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { ImagesProvider } from "../providers/images.ts";
import { onlyOnce } from "../runtime/only-once.ts";
import { now, realImages, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

/** Has a picture made. The service stores it under the name of its subject. */
export function createImageHandler({ images }: { images: ImagesProvider }) {
  return async ({ payload }: Envelope<Payload<"image-generation">>): Promise<Settled> => {
    await images.generate(payload);
    return "done";
  };
}

export const handler = createWorker("image-generation", async () => {
  const parts = { table: realTable(), now };
  return { ...parts, handle: onlyOnce("image-generation", parts, createImageHandler({ images: await realImages() })) };
});
