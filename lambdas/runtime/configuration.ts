import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import * as z from "zod";
import { type ProviderName, providers } from "../../registry/providers.ts";
import type { QueueName } from "../../registry/queues.ts";
import { type SecretName, secrets } from "../../registry/secrets.ts";
import type { WorkflowName } from "../../registry/workflows.ts";
import { config } from "../../station.config.ts";
import {
  deadLetterNameOf,
  deadLetterUrlVariable,
  physicalName,
  queueUrlVariable,
  workflowArnVariable,
} from "../core/names.ts";
import { MissingConfiguration } from "../core/outcome.ts";
import { resolveStation } from "../core/station.ts";
import { lazy } from "./lazy.ts";
import { patience } from "./patience.ts";

/** How long a function trusts the secrets it has read: the longest a rotation takes to be seen everywhere. */
const secretMaxAgeSeconds = 300;

/** What is built with secrets is built anew after this, else it would hold on to them as long as the function lives. */
export const secretsExpiry = { maximumAgeMs: secretMaxAgeSeconds * 1000, now: () => Date.now() };

export const station = resolveStation(config);

/** The only reader of `process.env`; the stack sets what is read here. */
function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new MissingConfiguration([{ name, where: "environment of the function: deploy the stack again" }]);
  return value;
}

export const stage = () => setting("STATION_STAGE");
export const tableName = () => setting("STATE_TABLE");
export const publicApiUrl = () => setting("PUBLIC_API_URL");
export const backoffBaseSeconds = () => Number(setting("BACKOFF_BASE_SECONDS"));
export const queueUrl = (queue: QueueName) => setting(queueUrlVariable(queue));
/** Functions that look at every queue are not told of the dead letters: that would fill Lambda's 4 KB of environment. */
export const deadLetterUrl = (queue: QueueName) =>
  process.env[deadLetterUrlVariable(queue)] || deadLetterNameOf(queueUrl(queue));
export const flagStore = () => ({
  application: setting("FLAGS_APPLICATION"),
  environment: setting("FLAGS_ENVIRONMENT"),
  profile: setting("FLAGS_PROFILE"),
});
export const workflowArn = (workflow: WorkflowName) => setting(workflowArnVariable(workflow));

/** Where the adopter's own config says that a provider is. */
const configuredUrls: Partial<Record<ProviderName, string>> = {
  supabase: config.supabaseUrl,
  site: config.brand.siteUrl,
  embeddings: config.embeddings.baseUrl,
  // Edge functions of the adopter's own project, as they were of the original's.
  images: `${config.supabaseUrl}/functions/v1/public-api`,
  packages: `${config.supabaseUrl}/functions/v1/public-api`,
};

/** Where a provider answers; on this machine the runtime moves it to a stand-in. */
export function providerUrl(provider: ProviderName): string {
  const { baseUrl, baseUrlVariable } = providers[provider];
  return process.env[baseUrlVariable] || (baseUrl ?? configuredUrls[provider] ?? config.supabaseUrl);
}

/** The named secrets; those that are missing are reported together, each with where it comes from. */
export async function requiredSecrets<N extends SecretName>(names: readonly N[]): Promise<Record<N, string>>;
export async function requiredSecrets(names: readonly SecretName[]): Promise<Record<string, string>> {
  const values = await allSecrets();
  const missing = names.filter((name) => !values[name]);
  if (missing.length > 0)
    throw new MissingConfiguration(
      missing.map((name) => ({
        name,
        where: `Secrets Manager entry ${physicalName(stage(), "station")}: ${secrets[name].source}`,
      })),
    );
  return Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
}

/** A secret that may be absent, such as the former value during a rotation. */
export async function optionalSecret(name: SecretName): Promise<string | undefined> {
  return (await allSecrets())[name] || undefined;
}

const secretsProvider = lazy(async () => new SecretsProvider({ clientConfig: patience }));

async function allSecrets(): Promise<Record<string, string>> {
  const value = await (await secretsProvider()).get(setting("SECRET_ID"), {
    transform: "json",
    maxAge: secretMaxAgeSeconds,
  });
  return z.record(z.string(), z.string()).parse(value ?? {});
}
