import { AppConfigDataClient } from "@aws-sdk/client-appconfigdata";
import type { ProviderName } from "../../registry/providers.ts";
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
import { type Breaker, createBreaker } from "./breaker.ts";
import { flagStore, optionalSecret, providerUrl, requiredSecrets, stage, station, tableName } from "./configuration.ts";
import { lazy } from "./lazy.ts";
import { createPacer } from "./pacer.ts";
import { createStateTable, type StateTable } from "./state-table.ts";

/** The real things that handlers are given; each is built on first use, so a missing key harms only its users. */
export const now = (): number => Date.now();

let sharedTable: StateTable | undefined;
/** One client, and so one set of connections, for all that a function keeps there. */
export const realTable = (): StateTable => {
  sharedTable ??= createStateTable(tableName(), now);
  return sharedTable;
};

const breakers = new Map<ProviderName, Breaker>();
/** The breaker of a provider, one in a process; undefined where the registry gives it none. */
export function realBreaker(provider: ProviderName): Breaker | undefined {
  const { breaker: budget, timeoutMs } = station.providers[provider];
  if (!budget) return undefined;
  const breaker = breakers.get(provider) ?? createBreaker({ provider, table: realTable(), budget, timeoutMs, now });
  breakers.set(provider, breaker);
  return breaker;
}

/** What every provider is called with. */
const callOptions = (provider: ProviderName) => ({
  baseUrl: providerUrl(provider),
  timeoutMs: station.providers[provider].timeoutMs,
  breaker: realBreaker(provider),
  now,
});

export async function realSupabase(): Promise<SupabaseProvider> {
  const { supabaseServiceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  const { baseUrl: url, ...options } = callOptions("supabase");
  return createSupabase({ url, serviceRoleKey: supabaseServiceRoleKey, ...options });
}

export async function realResend(table: StateTable): Promise<ResendProvider> {
  const { resendApiKey } = await requiredSecrets(["resendApiKey"]);
  const { callsPerSecond = 1 } = station.providers.resend;
  const pacer = createPacer({ provider: "resend", table, callsPerSecond, now });
  return createResend({ apiKey: resendApiKey, pacer, ...callOptions("resend") });
}

export const realHeartbeat = () =>
  createHeartbeat({ baseUrl: providerUrl("heartbeat"), timeoutMs: station.providers.heartbeat.timeoutMs });

export async function realSite(): Promise<SiteProvider> {
  const { revalidateSecret } = await requiredSecrets(["revalidateSecret"]);
  const { revalidateSecretIn: secretIn } = station.config.site;
  return createSite({ secret: revalidateSecret, secretIn, ...callOptions("site") });
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
  const { callsPerSecond = 1 } = station.providers.discord;
  const webhooks = mapRecord(discordSecrets, (secret, channel) =>
    lazy(async () => {
      const { [secret]: address } = await requiredSecrets([secret]);
      const pacer = createPacer({ provider: `discord-${channel}`, table, callsPerSecond, now });
      return createDiscordWebhook({ address, pacer, ...callOptions("discord") });
    }),
  );
  return async (channel) => (station.config.discord.channels.includes(channel) ? webhooks[channel]() : undefined);
}

export async function realGithub(): Promise<GithubProvider> {
  const { githubToken } = await requiredSecrets(["githubToken"]);
  return createGithub({ token: githubToken, repository: station.config.changelog, ...callOptions("github") });
}

export async function realEmbeddings(): Promise<EmbeddingsProvider> {
  const { embeddingApiKey } = await requiredSecrets(["embeddingApiKey"]);
  return createEmbeddings({ apiKey: embeddingApiKey, model: station.config.embeddings, ...callOptions("embeddings") });
}

export async function realImages(): Promise<ImagesProvider> {
  const { supabaseServiceRoleKey: serviceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  return createImages({ serviceRoleKey, ...callOptions("images") });
}

export async function realPackages(): Promise<PackagesProvider> {
  const { supabaseServiceRoleKey: serviceRoleKey } = await requiredSecrets(["supabaseServiceRoleKey"]);
  return createPackages({ serviceRoleKey, ...callOptions("packages") });
}

/** Statsig's gates when its key is there, else AppConfig; neither keeps anybody waiting for long. */
export async function realFlags(): Promise<Flags> {
  const apiKey = await optionalSecret("statsigKey");
  const { timeoutMs } = station.providers.statsig;
  const provider = apiKey
    ? statsigFlags({ apiKey, ...callOptions("statsig") })
    : appConfigFlags({
        ...flagStore(),
        client: new AppConfigDataClient({
          maxAttempts: 2,
          requestHandler: { requestTimeout: timeoutMs, throwOnRequestTimeout: true },
        }),
      });
  return createFlags({ provider, stage: stage(), initially: mapRecord(station.flags, ({ on }) => on) });
}
