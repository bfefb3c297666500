/** A value that lives in the one Secrets Manager entry of the station, under its name here. */
interface SecretRecord {
  /** Where the value comes from, for the person who has to put it there. */
  source: string;
  required: boolean;
}

export const secrets = {
  internalSecret: {
    source: "any random string of 32 characters or more; callers send it in X-Internal-Secret",
    required: true,
  },
  internalSecretPrevious: {
    source: "the former internalSecret, valid as long as it is here: for rotation",
    required: false,
  },
  unsubscribeKey: {
    source: "any random string of 32 characters or more; changing it breaks links in mails already sent",
    required: true,
  },
  resendApiKey: { source: "Resend dashboard, API keys, full access", required: true },
  supabaseServiceRoleKey: { source: "Supabase dashboard, project settings, API keys, service_role", required: true },
  heartbeatDigestId: { source: "Better Stack, the digest heartbeat's id (last part of its URL)", required: false },
  heartbeatSequenceId: { source: "Better Stack, the sequence heartbeat's id (last part of its URL)", required: false },
} as const satisfies Record<string, SecretRecord>;

export type SecretName = keyof typeof secrets;
