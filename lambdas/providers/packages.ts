import { createGenerationService, type GenerationServiceOptions } from "./generation-service.ts";

/** An entry whose download is to be made. */
interface PackageWish {
  content_id: string;
  category: string;
  slug: string;
  /** ISO 8601: when the wish came up. */
  created_at: string;
}

/** The adopter's package service, which makes the download of an entry. Asked twice it makes the same twice. */
export interface PackagesProvider {
  generate(wish: PackageWish): Promise<void>;
}

export function createPackages(options: GenerationServiceOptions): PackagesProvider {
  const generate = createGenerationService("packages", options);
  return {
    generate: (wish) =>
      generate({
        operation: "generate-package",
        path: "/content/generate-package/process",
        body: wish,
        what: "Package service",
      }),
  };
}
