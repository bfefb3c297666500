import type { StationConfig } from "../../lambdas/core/station.ts";
import { contactProperties } from "../../registry/contact-properties.ts";
import type { LocalCredentials } from "../credentials.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { Exchange } from "./recording.ts";
import { startResend } from "./resend/server.ts";
import type { StandIn } from "./stand-in.ts";

/** Names of the vendors that have a stand-in. */
export const vendorNames = ["resend", "heartbeat"] as const;
export type VendorName = (typeof vendorNames)[number];

export interface VendorOptions {
  config: StationConfig;
  credentials: LocalCredentials;
  now: () => number;
  /** Receives every exchange with a stand-in. */
  record?: (exchange: Exchange) => void;
  /** Vendors that are reached for real, so that they get no stand-in. */
  live: readonly VendorName[];
}

/** Starts a stand-in for each vendor that is not live, knowing the ids that the config names. */
export async function startVendors(options: VendorOptions): Promise<Partial<Record<VendorName, StandIn>>> {
  const { config, credentials, now, record, live } = options;
  const common = { now, ...(record ? { record } : {}) };
  const starts: Record<VendorName, () => Promise<StandIn>> = {
    resend: () =>
      startResend({
        ...common,
        apiKey: credentials.resendApiKey,
        seed: {
          segments: Object.entries(config.resend.segments).map(([name, id]) => ({ id, name })),
          topics: Object.entries(config.resend.topics).map(([name, id]) => ({
            id,
            name,
            defaultSubscription: "opt_out",
          })),
          properties: Object.entries(contactProperties).map(([key, type]) => ({ key, type })),
        },
      }),
    heartbeat: () => startHeartbeat(common),
  };
  const started = vendorNames
    .filter((name) => !live.includes(name))
    .map(async (name) => [name, await starts[name]()] as const);
  return Object.fromEntries(await Promise.all(started));
}
