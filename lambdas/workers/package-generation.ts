import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { PackagesProvider } from "../providers/packages.ts";
import { onlyOnce } from "../runtime/only-once.ts";
import { now, realPackages, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

/** Has an entry's download made. The service replaces the one it had. */
export function createPackageHandler({ packages }: { packages: PackagesProvider }) {
  return async ({ payload, occurredAt }: Envelope<Payload<"package-generation">>): Promise<Settled> => {
    const { content_id, category, slug } = payload;
    await packages.generate({ content_id, category, slug, created_at: occurredAt });
    return "done";
  };
}

export const handler = createWorker("package-generation", async () => {
  const parts = { table: realTable(), now };
  return {
    ...parts,
    handle: onlyOnce("package-generation", parts, createPackageHandler({ packages: await realPackages() })),
  };
});
