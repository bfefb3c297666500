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
  revalidateSecret: { source: "any random string; the site checks it when it is told to revalidate", required: true },
  discordJobsWebhook: { source: "Discord, channel for jobs, integrations, webhooks, its URL", required: false },
  discordSubmissionsWebhook: {
    source: "Discord, the team's channel, integrations, webhooks, its URL",
    required: false,
  },
  discordAnnouncementsWebhook: {
    source: "Discord, channel for new entries, integrations, webhooks, its URL",
    required: false,
  },
  discordErrorsWebhook: {
    source: "Discord, channel for error alerts, integrations, webhooks, its URL",
    required: false,
  },
  discordChangelogWebhook: {
    source: "Discord, channel for releases, integrations, webhooks, its URL",
    required: false,
  },
  githubToken: {
    source: "GitHub, fine-grained token that may read the contents of the changelog's repository",
    required: false,
  },
  embeddingApiKey: { source: "OpenAI dashboard, API keys, or whoever else makes the embeddings", required: false },
  heartbeatDigestId: { source: "Better Stack, the digest heartbeat's id (last part of its URL)", required: false },
  heartbeatSequenceId: { source: "Better Stack, the sequence heartbeat's id (last part of its URL)", required: false },
  resendWebhookSecret: { source: "Resend dashboard, webhooks, signing secret (whsec_...)", required: true },
  polarWebhookSecret: {
    source: "Polar dashboard, webhooks, secret; without it Polar's webhooks get 503",
    required: false,
  },
  vercelWebhookSecret: {
    source: "Vercel dashboard, webhooks, secret; without it Vercel's webhooks get 503",
    required: false,
  },
  authHookSecret: {
    source: "Supabase dashboard, authentication, hooks, Send Email (v1,whsec_...); without it the hook gets 503",
    required: false,
  },
  databaseWebhookSecret: {
    source: "any random string of 32 characters or more; the database has it in its vault as station_poke_secret",
    required: false,
  },
  supabaseJwtSecret: {
    source: "Supabase dashboard, JWT keys, legacy secret; only where user tokens are still signed with it (HS256)",
    required: false,
  },
  turnstileSecret: {
    source: "Cloudflare dashboard, Turnstile, widget's secret key; without it the contact form gets 503",
    required: false,
  },
  statsigKey: {
    source: "Statsig console, project settings, server secret key; with it gates there decide flags, not AppConfig",
    required: false,
  },
} as const satisfies Record<string, SecretRecord>;

export type SecretName = keyof typeof secrets;
