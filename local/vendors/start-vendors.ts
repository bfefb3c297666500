import type { StationConfig } from "../../lambdas/core/station.ts";
import { contactProperties } from "../../registry/contact-properties.ts";
import type { LocalCredentials } from "../credentials.ts";
import { signProjectKeys } from "../supabase/tokens.ts";
import { startDiscord } from "./discord/server.ts";
import { startEmbeddings } from "./embeddings/server.ts";
import { exampleRepository } from "./github/example-repository.ts";
import { startGithub } from "./github/server.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { startImages } from "./images.ts";
import { startPackages } from "./packages.ts";
import type { Exchange } from "./recording.ts";
import { startResend } from "./resend/server.ts";
import { startSite } from "./site.ts";
import type { StandIn } from "./stand-in.ts";
import { startStatsig } from "./statsig.ts";
import { startTurnstile } from "./turnstile.ts";

/** Vendors that have a stand-in and that `--live` can reach for real instead. */
export const vendorNames = ["resend", "heartbeat"] as const;
export type VendorName = (typeof vendorNames)[number];

const standInNames = [
  ...vendorNames,
  "discord",
  "github",
  "site",
  "embeddings",
  "images",
  "packages",
  "turnstile",
  "statsig",
] as const;
export type StandInName = (typeof standInNames)[number];

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
export async function startVendors(options: VendorOptions): Promise<Partial<Record<StandInName, StandIn>>> {
  const { config, credentials, now, record } = options;
  const live: readonly StandInName[] = options.live;
  const common = { now, ...(record ? { record } : {}) };
  const { serviceRoleKey } = await signProjectKeys(credentials.jwtSecret);
  // Image and package service are edge functions of the adopter's own project, as they were of the original's.
  const edgeFunctions = { serviceKey: serviceRoleKey, publishedUrl: `${config.supabaseUrl}/functions/v1/public-api` };
  const starts: Record<StandInName, () => Promise<StandIn>> = {
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
    discord: () =>
      startDiscord({
        ...common,
        webhooks: [
          discordWebhook("jobs", credentials.discordJobsWebhook),
          discordWebhook("submissions", credentials.discordSubmissionsWebhook),
          discordWebhook("announcements", credentials.discordAnnouncementsWebhook),
          discordWebhook("errors", credentials.discordErrorsWebhook),
          discordWebhook("changelog", credentials.discordChangelogWebhook),
        ],
      }),
    github: () => {
      const { owner, repository: repo } = config.changelog;
      return startGithub({
        ...common,
        token: credentials.githubToken,
        repositories: [{ ...exampleRepository(), owner, repo }],
      });
    },
    site: () =>
      startSite({
        ...common,
        secret: credentials.revalidateSecret,
        secretIn: config.site.revalidateSecretIn,
        siteUrl: config.brand.siteUrl,
      }),
    embeddings: () => {
      const { model, dimensions, shortens } = config.embeddings;
      return startEmbeddings({
        ...common,
        apiKey: credentials.embeddingApiKey,
        models: { [model]: { dimensions, shortens } },
      });
    },
    images: () => startImages({ ...common, ...edgeFunctions }),
    packages: () => startPackages({ ...common, ...edgeFunctions }),
    turnstile: () =>
      startTurnstile({
        ...common,
        secret: credentials.turnstileSecret,
        hostname: new URL(config.brand.siteUrl).hostname,
      }),
    statsig: () => startStatsig({ ...common, apiKey: credentials.statsigKey }),
  };
  const started = standInNames
    .filter((name) => !live.includes(name))
    .map(async (name) => [name, await starts[name]()] as const);
  return Object.fromEntries(await Promise.all(started));
}

/** Splits `{id}/{token}`, the end of a webhook's address. */
function discordWebhook(name: string, idAndToken: string): { name: string; id: string; token: string } {
  const [id = "", token = ""] = idAndToken.split("/");
  return { name, id, token };
}
