import * as z from "zod";
import { ProviderUnavailable } from "../core/provider-failure.ts";
import { createJsonCaller, failureOf } from "./json-call.ts";

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

interface PackagesOptions {
  baseUrl: string;
  serviceRoleKey: string;
  timeoutMs: number;
  now: () => number;
}

const generated = z.object({ success: z.boolean(), error: z.string().optional() });

export function createPackages({ baseUrl, serviceRoleKey, timeoutMs, now }: PackagesOptions): PackagesProvider {
  const call = createJsonCaller({
    provider: "packages",
    baseUrl,
    timeoutMs,
    now,
    headers: { authorization: `Bearer ${serviceRoleKey}` },
  });
  return {
    async generate(wish) {
      const answer = await call("generate-package", { path: "/content/generate-package/process", body: wish });
      const { success, error } = generated.safeParse(answer.body).data ?? { success: false };
      if (answer.status === 200 && success) return;
      const message = error ?? "it did not say that it succeeded";
      if (answer.status === 200) throw new ProviderUnavailable(`Package service: ${message}`);
      throw failureOf("Package service", answer, { code: "refused", message, nowMs: now() });
    },
  };
}
