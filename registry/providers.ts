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
  heartbeat: {
    baseUrl: "https://uptime.betterstack.com/api/v1/heartbeat",
    baseUrlVariable: "HEARTBEAT_BASE_URL",
    secrets: ["heartbeatDigestId", "heartbeatSequenceId"],
    timeoutMs: 5_000,
  },
} as const satisfies Record<string, ProviderRecord>;

export type ProviderName = keyof typeof providers;
