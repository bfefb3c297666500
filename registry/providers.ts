import type { SecretName } from "./secrets.ts";

/** A system outside the station that it calls: where it is, what it allows, which secrets it needs. */
export interface ProviderRecord {
  /** Published address; `null` where the adopter's own configuration or a secret holds it. */
  baseUrl: string | null;
  /** Environment variable that moves the address; only the local runtime sets it. */
  baseUrlVariable: string;
  /** Names in `secrets.ts`. */
  secrets: readonly SecretName[];
  /** After this the call is aborted. */
  timeoutMs: number;
  /** Calls per second to begin with; the pacer then learns the real limit from the answers. Absent: not paced. */
  callsPerSecond?: number;
}

export const providers = {
  resend: {
    baseUrl: "https://api.resend.com",
    baseUrlVariable: "RESEND_BASE_URL",
    secrets: ["resendApiKey"],
    timeoutMs: 10_000,
    // The lowest of the published values (2, 5 and 10); the answers' headers raise it.
    callsPerSecond: 2,
  },
  supabase: {
    baseUrl: null,
    baseUrlVariable: "SUPABASE_URL",
    secrets: ["supabaseServiceRoleKey"],
    // The database's own statement timeout is 8 s: its error is better than ours.
    timeoutMs: 10_000,
  },
  site: {
    baseUrl: null,
    baseUrlVariable: "SITE_BASE_URL",
    secrets: ["revalidateSecret"],
    timeoutMs: 10_000,
  },
  discord: {
    baseUrl: "https://discord.com",
    baseUrlVariable: "DISCORD_BASE_URL",
    secrets: [
      "discordJobsWebhook",
      "discordSubmissionsWebhook",
      "discordAnnouncementsWebhook",
      "discordErrorsWebhook",
      "discordChangelogWebhook",
    ],
    timeoutMs: 10_000,
    // Per webhook. Five in two seconds as seen by users; the answers' headers tell when to pause.
    callsPerSecond: 2,
  },
  github: {
    baseUrl: "https://api.github.com",
    baseUrlVariable: "GITHUB_BASE_URL",
    secrets: ["githubToken"],
    timeoutMs: 10_000,
  },
  embeddings: {
    baseUrl: null,
    baseUrlVariable: "EMBEDDINGS_BASE_URL",
    secrets: ["embeddingApiKey"],
    timeoutMs: 20_000,
  },
  images: {
    baseUrl: null,
    baseUrlVariable: "IMAGES_BASE_URL",
    secrets: ["supabaseServiceRoleKey"],
    timeoutMs: 30_000,
  },
  packages: {
    baseUrl: null,
    baseUrlVariable: "PACKAGES_BASE_URL",
    secrets: ["supabaseServiceRoleKey"],
    timeoutMs: 60_000,
  },
  heartbeat: {
    baseUrl: "https://uptime.betterstack.com/api/v1/heartbeat",
    baseUrlVariable: "HEARTBEAT_BASE_URL",
    secrets: ["heartbeatDigestId", "heartbeatSequenceId"],
    timeoutMs: 5_000,
  },
  turnstile: {
    baseUrl: "https://challenges.cloudflare.com",
    baseUrlVariable: "TURNSTILE_BASE_URL",
    secrets: ["turnstileSecret"],
    timeoutMs: 5_000,
  },
  statsig: {
    baseUrl: "https://api.statsig.com",
    baseUrlVariable: "STATSIG_BASE_URL",
    secrets: ["statsigKey"],
    // Work waits for a flag, and goes on without it.
    timeoutMs: 2_000,
  },
} as const satisfies Record<string, ProviderRecord>;

export type ProviderName = keyof typeof providers;
