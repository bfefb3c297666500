import { AppConfigDataClient } from "@aws-sdk/client-appconfigdata";
import type { SecretName } from "../../registry/secrets.ts";
import { mapRecord } from "../core/record.ts";
import type { DiscordChannel } from "../core/station.ts";
import { appConfigFlags } from "../providers/app-config.ts";
import { createDiscordWebhook, type DiscordWebhook } from "../providers/discord.ts";
import { createEmbeddings, type EmbeddingsProvider } from "../providers/embeddings.ts";
import { createFlags, type Flags } from "../providers/flags.ts";
import { createGithub, type GithubProvider } from "../providers/github.ts";
import { createHeartbeat } from "../providers/heartbeat.ts";
import { createImages, type ImagesProvider } from "../providers/images.ts";
import { createPackages, type PackagesProvider } from "../providers/packages.ts";
import { createResend, type ResendProvider } from "../providers/resend.ts";
import { createSite, type SiteProvider } from "../providers/site.ts";
import { statsigFlags } from "../providers/statsig.ts";
import { createSupabase, type SupabaseProvider } from "../providers/supabase.ts";
import { flagStore, optionalSecret, providerUrl, requiredSecrets, stage, station, tableName } from "./configuration.ts";
import { lazy } from "./lazy.ts";
import { createPacer } from "./pacer.ts";
import { createStateTable, type StateTable } from "./state-table.ts";

/** The real things that handlers are given; each is built on first use, so a missing key harms only its users. */
export const now = (): number => Date.now();

export const realTable = (): StateTable => createStateTable(tableName(), now);

export async function realSupabase(): Promise<SupabaseProvider> {
  const { supabaseServiceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  const { timeoutMs } = station.providers.supabase;
  return createSupabase({ url: providerUrl("supabase"), serviceRoleKey: supabaseServiceRoleKey, timeoutMs, now });
}

export async function realResend(table: StateTable): Promise<ResendProvider> {
  const { resendApiKey } = await requiredSecrets(["resendApiKey"]);
  const { timeoutMs, callsPerSecond = 1 } = station.providers.resend;
  const pacer = createPacer({ provider: "resend", table, callsPerSecond, now });
  return createResend({ apiKey: resendApiKey, baseUrl: providerUrl("resend"), timeoutMs, pacer, now });
}

export const realHeartbeat = () =>
  createHeartbeat({ baseUrl: providerUrl("heartbeat"), timeoutMs: station.providers.heartbeat.timeoutMs });

export async function realSite(): Promise<SiteProvider> {
  const { revalidateSecret } = await requiredSecrets(["revalidateSecret"]);
  return createSite({
    baseUrl: providerUrl("site"),
    secret: revalidateSecret,
    secretIn: station.config.site.revalidateSecretIn,
    timeoutMs: station.providers.site.timeoutMs,
    now,
  });
}

/** The webhook of a channel; undefined for a channel that the config does not name. Throws when its secret is missing. */
export type DiscordChannels = (channel: DiscordChannel) => Promise<DiscordWebhook | undefined>;

const discordSecrets = {
  jobs: "discordJobsWebhook",
  submissions: "discordSubmissionsWebhook",
  announcements: "discordAnnouncementsWebhook",
  changelog: "discordChangelogWebhook",
  errors: "discordErrorsWebhook",
} as const satisfies Record<DiscordChannel, SecretName>;

/** Each webhook is built on first use: a channel without its secret harms only what is posted there. */
export function realDiscord(table: StateTable): DiscordChannels {
  const { timeoutMs, callsPerSecond = 1 } = station.providers.discord;
  const webhooks = mapRecord(discordSecrets, (secret, channel) =>
    lazy(async () => {
      const { [secret]: address } = await requiredSecrets([secret]);
      const pacer = createPacer({ provider: `discord-${channel}`, table, callsPerSecond, now });
      return createDiscordWebhook({ baseUrl: providerUrl("discord"), address, timeoutMs, pacer, now });
    }),
  );
  return async (channel) => (station.config.discord.channels.includes(channel) ? webhooks[channel]() : undefined);
}

export async function realGithub(): Promise<GithubProvider> {
  const { githubToken } = await requiredSecrets(["githubToken"]);
  const { timeoutMs } = station.providers.github;
  const repository = station.config.changelog;
  return createGithub({ baseUrl: providerUrl("github"), token: githubToken, repository, timeoutMs, now });
}

export async function realEmbeddings(): Promise<EmbeddingsProvider> {
  const { embeddingApiKey } = await requiredSecrets(["embeddingApiKey"]);
  const { timeoutMs } = station.providers.embeddings;
  const model = station.config.embeddings;
  return createEmbeddings({ baseUrl: providerUrl("embeddings"), apiKey: embeddingApiKey, model, timeoutMs, now });
}

export async function realImages(): Promise<ImagesProvider> {
  const { supabaseServiceRoleKey: serviceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  const { timeoutMs } = station.providers.images;
  return createImages({ baseUrl: providerUrl("images"), serviceRoleKey, timeoutMs, now });
}

export async function realPackages(): Promise<PackagesProvider> {
  const { supabaseServiceRoleKey: serviceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  const { timeoutMs } = station.providers.packages;
  return createPackages({ baseUrl: providerUrl("packages"), serviceRoleKey, timeoutMs, now });
}

/** Statsig's gates when its key is there, else AppConfig; neither keeps anybody waiting for long. */
export async function realFlags(): Promise<Flags> {
  const apiKey = await optionalSecret("statsigKey");
  const { timeoutMs } = station.providers.statsig;
  const provider = apiKey
    ? statsigFlags({ baseUrl: providerUrl("statsig"), apiKey, timeoutMs, now })
    : appConfigFlags({
        ...flagStore(),
        client: new AppConfigDataClient({ maxAttempts: 2, requestHandler: { requestTimeout: timeoutMs } }),
      });
  return createFlags({ provider, stage: stage(), initially: mapRecord(station.flags, ({ on }) => on) });
}
