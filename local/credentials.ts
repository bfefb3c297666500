import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { createUserSigningKey } from "./supabase/user-tokens.ts";

const discordWebhook = z.string().regex(/^\d+\/[\w-]+$/);

const credentials = z.object({
  internalSecret: z.string(),
  unsubscribeKey: z.string(),
  jwtSecret: z.string(),
  postgresPassword: z.string(),
  resendApiKey: z.string(),
  heartbeatDigestId: z.string(),
  heartbeatSequenceId: z.string(),
  /** Each `{id}/{token}`: the end of a webhook's address. */
  discordJobsWebhook: discordWebhook,
  discordSubmissionsWebhook: discordWebhook,
  discordAnnouncementsWebhook: discordWebhook,
  discordErrorsWebhook: discordWebhook,
  discordChangelogWebhook: discordWebhook,
  githubToken: z.string(),
  revalidateSecret: z.string(),
  embeddingApiKey: z.string(),
  turnstileSecret: z.string(),
  statsigKey: z.string(),
  resendWebhookSecret: z.string(),
  polarWebhookSecret: z.string(),
  vercelWebhookSecret: z.string(),
  authHookSecret: z.string(),
  databaseWebhookSecret: z.string(),
  /** Private key (JWK) that signs user tokens, as Supabase Auth does. */
  userSigningKey: z.string(),
});

/** Values that mean something on this machine only. */
export type LocalCredentials = z.infer<typeof credentials>;

/** The credentials of this station's home, made at its first start and kept, readable by the owner only. */
export async function localCredentials(home: string): Promise<LocalCredentials> {
  const file = join(home, "credentials.json");
  const random = () => randomBytes(24).toString("base64url");
  const standardSecret = () => `whsec_${randomBytes(24).toString("base64")}`;
  const kept = await readFile(file, "utf8").catch(() => "{}");
  const complete = credentials.parse({
    internalSecret: random(),
    unsubscribeKey: random(),
    jwtSecret: randomBytes(48).toString("base64url"),
    postgresPassword: random(),
    resendApiKey: `re_local_${random()}`,
    heartbeatDigestId: "digest-local",
    heartbeatSequenceId: "sequence-local",
    discordJobsWebhook: `1200000000000000001/${random()}`,
    discordSubmissionsWebhook: `1200000000000000002/${random()}`,
    discordAnnouncementsWebhook: `1200000000000000003/${random()}`,
    discordErrorsWebhook: `1200000000000000004/${random()}`,
    discordChangelogWebhook: `1200000000000000005/${random()}`,
    githubToken: `github_local_${random()}`,
    revalidateSecret: random(),
    embeddingApiKey: `sk-local-${random()}`,
    turnstileSecret: random(),
    statsigKey: `secret-local-${random()}`,
    resendWebhookSecret: standardSecret(),
    polarWebhookSecret: `polar_whs_local_${random()}`,
    vercelWebhookSecret: random(),
    authHookSecret: `v1,${standardSecret()}`,
    databaseWebhookSecret: random(),
    userSigningKey: await createUserSigningKey(),
    ...z.record(z.string(), z.string()).parse(JSON.parse(kept)),
  });
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(file, JSON.stringify(complete, null, 2), { mode: 0o600 });
  return complete;
}
