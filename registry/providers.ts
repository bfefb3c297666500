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
  /** When it is left alone because it is down, and for how long. Absent: it is called however often it fails. */
  breaker?: {
    /** So many failures in a row, by no answer or a 5xx. No more than the attempts of any message that needs it. */
    failures: number;
    /** A failure longer ago than this does not count. Longer than a message pauses between so many attempts. */
    withinSeconds: number;
    /** How long at first. Each failed probe doubles it. */
    openSeconds: number;
    longestOpenSeconds: number;
  };
}

/** Five failures in a row are rare while a provider is up, and most messages have five attempts. */
const fiveFailures = { failures: 5, withinSeconds: 300, openSeconds: 15, longestOpenSeconds: 300 };

export const providers = {
  resend: {
    baseUrl: "https://api.resend.com",
    baseUrlVariable: "RESEND_BASE_URL",
    secrets: ["resendApiKey"],
    timeoutMs: 10_000,
    // The lowest of the published values (2, 5 and 10); the answers' headers raise it.
    callsPerSecond: 2,
    breaker: fiveFailures,
  },
  supabase: {
    baseUrl: null,
    baseUrlVariable: "SUPABASE_URL",
    secrets: ["supabaseServiceRoleKey"],
    // The database's own statement timeout is 8 s: its error is better than ours.
    timeoutMs: 10_000,
    // A sweep of the outbox has three attempts.
    breaker: { ...fiveFailures, failures: 3 },
  },
  site: {
    baseUrl: null,
    baseUrlVariable: "SITE_BASE_URL",
    secrets: ["revalidateSecret"],
    timeoutMs: 10_000,
    breaker: fiveFailures,
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
    breaker: fiveFailures,
  },
  github: {
    baseUrl: "https://api.github.com",
    baseUrlVariable: "GITHUB_BASE_URL",
    secrets: ["githubToken"],
    timeoutMs: 10_000,
    breaker: fiveFailures,
  },
  embeddings: {
    baseUrl: null,
    baseUrlVariable: "EMBEDDINGS_BASE_URL",
    secrets: ["embeddingApiKey"],
    timeoutMs: 20_000,
    breaker: fiveFailures,
  },
  images: {
    baseUrl: null,
    baseUrlVariable: "IMAGES_BASE_URL",
    secrets: ["supabaseServiceRoleKey"],
    timeoutMs: 30_000,
    breaker: fiveFailures,
  },
  packages: {
    baseUrl: null,
    baseUrlVariable: "PACKAGES_BASE_URL",
    secrets: ["supabaseServiceRoleKey"],
    timeoutMs: 60_000,
    breaker: fiveFailures,
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
    breaker: fiveFailures,
  },
  statsig: {
    baseUrl: "https://api.statsig.com",
    baseUrlVariable: "STATSIG_BASE_URL",
    secrets: ["statsigKey"],
    // Work waits for a flag, and goes on without it.
    timeoutMs: 2_000,
    breaker: fiveFailures,
  },
} as const satisfies Record<string, ProviderRecord>;

export type ProviderName = keyof typeof providers;
