import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { PackagesProvider } from "../providers/packages.ts";
import { now, realPackages, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";

/** Has an entry's download made. The service replaces the one it had, so once more does no harm. */
export function createPackageHandler({ packages }: { packages: PackagesProvider }) {
  return async ({ payload, occurredAt }: Envelope<Payload<"package-generation">>): Promise<Settled> => {
    const { content_id, category, slug } = payload;
    await packages.generate({ content_id, category, slug, created_at: occurredAt });
    return "done";
  };
}

export const handler = createWorker("package-generation", async () => ({
  table: realTable(),
  now,
  handle: createPackageHandler({ packages: await realPackages() }),
}));
