import { join } from "node:path";
import { providers } from "../registry/providers.ts";
import { config } from "../station.config.ts";
import { advance } from "./advance.ts";
import type { StackDisturbance } from "./chaos/chaos.ts";
import type { Clock } from "./clock.ts";
import { localCredentials } from "./credentials.ts";
import { readFlagFile } from "./flag-file.ts";
import { type RunningStack, startStack } from "./running-stack.ts";
import { startPostgres } from "./supabase/postgres.ts";
import { startSupabase } from "./supabase/postgrest.ts";
import { signProjectKeys } from "./supabase/tokens.ts";
import { createTally, type Tally } from "./tally.ts";
import type { Exchange } from "./vendors/recording.ts";
import { startVendors, type VendorName } from "./vendors/start-vendors.ts";

export interface StationOptions {
  /** Folder for what belongs to this station alone: credentials, log, description. */
  home: string;
  /** Where the synthesized stack is, or will be: everything that does not need it starts meanwhile. */
  assemblyDir: Promise<string>;
  /** Port of the HTTP API; 0 takes a free one. */
  port: number;
  clock: Clock;
  record?: (exchange: Exchange) => void;
  /** Vendors reached for real, with the key to use. */
  live: Partial<Record<VendorName, string>>;
  onLog(line: string, origin: { functionName: string; requestId: string | undefined }): void;
  onTrouble(what: string, error: unknown): void;
  /** What makes the station fail on purpose. */
  disturbance?: StackDisturbance;
}

/** What other programs need to join in; `.station/local.json`. */
export interface StationDescription {
  api: string;
  endpoints: Record<
    "sqs" | "dynamodb" | "stepfunctions" | "secretsmanager" | "lambda" | "supabase" | "postgres",
    string
  >;
  vendors: Record<string, string>;
  credentials: {
    internalSecret: string;
    anonKey: string;
    serviceRoleKey: string;
    /** Signs user tokens with HS256; `userSigningKey` (a JWK as JSON) signs them with ES256. */
    jwtSecret: string;
    userSigningKey: string;
    /** What each caller signs its webhooks with. */
    webhookSecrets: Record<"resend" | "polar" | "vercel" | "authHook" | "database", string>;
  };
}

export interface Station {
  description: StationDescription;
  stack: RunningStack;
  tally: Tally;
  /** Moves the station's time forward, firing every schedule in between at its own time. */
  advance(ms: number): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts the whole station: database, vendors, and the synthesized stack between them. */
export async function startStation(options: StationOptions): Promise<Station> {
  const { clock, live } = options;
  const { now } = clock;
  const credentials = await localCredentials(options.home);
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    const liveNames = Object.keys(live).filter((name): name is VendorName => name in live);
    const vendors = await startVendors({
      config,
      credentials,
      now,
      live: liveNames,
      ...(options.record ? { record: options.record } : {}),
    });
    for (const vendor of Object.values(vendors)) closers.push(() => vendor.close());
    const postgres = await startPostgres({ password: credentials.postgresPassword });
    closers.push(() => postgres.stop());
    const supabase = await startSupabase({
      connectionString: postgres.connectionString,
      jwtSecret: credentials.jwtSecret,
      userSigningKey: credentials.userSigningKey,
      now,
    });
    closers.push(() => supabase.close());
    const { anonKey, serviceRoleKey } = await signProjectKeys(credentials.jwtSecret);

    const tally = createTally();
    const vendorUrls = Object.fromEntries(Object.entries(vendors).map(([name, { url }]) => [name, url]));
    const stack = await startStack({
      assemblyDir: await options.assemblyDir,
      port: options.port,
      clock,
      environment: addressesOf({ ...vendorUrls, supabase: supabase.url }),
      secretValue: JSON.stringify({
        internalSecret: credentials.internalSecret,
        unsubscribeKey: credentials.unsubscribeKey,
        supabaseServiceRoleKey: serviceRoleKey,
        resendApiKey: live.resend ?? credentials.resendApiKey,
        revalidateSecret: credentials.revalidateSecret,
        discordJobsWebhook: credentials.discordJobsWebhook,
        discordSubmissionsWebhook: credentials.discordSubmissionsWebhook,
        discordAnnouncementsWebhook: credentials.discordAnnouncementsWebhook,
        discordErrorsWebhook: credentials.discordErrorsWebhook,
        discordChangelogWebhook: credentials.discordChangelogWebhook,
        githubToken: credentials.githubToken,
        embeddingApiKey: credentials.embeddingApiKey,
        resendWebhookSecret: credentials.resendWebhookSecret,
        polarWebhookSecret: credentials.polarWebhookSecret,
        vercelWebhookSecret: credentials.vercelWebhookSecret,
        authHookSecret: credentials.authHookSecret,
        databaseWebhookSecret: credentials.databaseWebhookSecret,
        supabaseJwtSecret: credentials.jwtSecret,
        turnstileSecret: credentials.turnstileSecret,
        heartbeatDigestId: live.heartbeat ?? credentials.heartbeatDigestId,
        heartbeatSequenceId: live.heartbeat ?? credentials.heartbeatSequenceId,
      }),
      flagOverrides: () => readFlagFile(join(options.home, "flags.json")),
      onLog: (line, origin) => {
        tally.read(line);
        options.onLog(line, origin);
      },
      onTrouble: options.onTrouble,
      ...(options.disturbance ? { disturbance: options.disturbance } : {}),
    });
    closers.push(() => stack.close());
    return {
      description: {
        api: stack.api,
        endpoints: { ...stack.endpoints, supabase: supabase.url, postgres: postgres.connectionString },
        vendors: vendorUrls,
        credentials: {
          internalSecret: credentials.internalSecret,
          anonKey,
          serviceRoleKey,
          jwtSecret: credentials.jwtSecret,
          userSigningKey: credentials.userSigningKey,
          webhookSecrets: {
            resend: credentials.resendWebhookSecret,
            polar: credentials.polarWebhookSecret,
            vercel: credentials.vercelWebhookSecret,
            authHook: credentials.authHookSecret,
            database: credentials.databaseWebhookSecret,
          },
        },
      },
      stack,
      tally,
      advance: (ms) => advance({ clock, stack }, ms),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The folder of a station in this checkout. */
export const homeIn = (root: string): string => join(root, ".station");

/** Environment variables that move each provider's address to what runs here. */
function addressesOf(urls: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(providers)
      .map(([name, { baseUrlVariable }]) => [baseUrlVariable, urls[name]] as const)
      .filter((entry): entry is [(typeof entry)[0], string] => entry[1] !== undefined),
  );
}
