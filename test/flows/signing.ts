import { createHmac, randomUUID } from "node:crypto";
import { signUserToken } from "../../local/supabase/user-tokens.ts";
import type { FlowStation } from "./station.ts";

type Headers = Record<string, string>;

export interface Signing {
  /** The request's body, byte for byte. */
  body: string;
  atMs?: number;
  id?: string;
  secret?: string;
}

/** Standard Webhooks by hand; Svix gives the same headers names of its own. */
function standardHeaders(prefix: "svix" | "webhook", key: Buffer, { body, atMs = Date.now(), id }: Signing): Headers {
  const messageId = id ?? `msg_${randomUUID()}`;
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = createHmac("sha256", key).update(`${messageId}.${timestamp}.${body}`).digest("base64");
  return {
    [`${prefix}-id`]: messageId,
    [`${prefix}-timestamp`]: timestamp,
    // The first is of a key that was rotated away.
    [`${prefix}-signature`]: `v1,${"A".repeat(43)}= v1,${signature}`,
  };
}

const base64Key = (secret: string) => Buffer.from(secret.replace(/^(v1,)?whsec_/, ""), "base64");

/** Headers of each kind of caller, as the caller itself would make them. */
export function signingFor({ credentials }: Pick<FlowStation, "credentials">) {
  const { webhookSecrets, jwtSecret, userSigningKey, internalSecret } = credentials;
  return {
    internal: (): Headers => ({ "x-internal-secret": internalSecret }),
    resend: (signing: Signing) => standardHeaders("svix", base64Key(signing.secret ?? webhookSecrets.resend), signing),
    polar: (signing: Signing) =>
      standardHeaders("webhook", Buffer.from(signing.secret ?? webhookSecrets.polar), signing),
    authHook: (signing: Signing) =>
      standardHeaders("webhook", base64Key(signing.secret ?? webhookSecrets.authHook), signing),
    vercel: ({ body, secret = webhookSecrets.vercel }: Signing): Headers => ({
      "x-vercel-signature": createHmac("sha1", secret).update(body).digest("hex"),
    }),
    database: ({ body, atMs = Date.now(), secret = webhookSecrets.database }: Signing): Headers => ({
      "x-webhook-timestamp": String(atMs),
      "x-webhook-signature": createHmac("sha256", secret).update(`${atMs}.${body}`).digest("base64"),
    }),
    user: async (
      userId: string,
      {
        atMs = Date.now(),
        algorithm = "ES256",
        claims,
        key,
      }: {
        atMs?: number;
        algorithm?: "ES256" | "HS256";
        claims?: Record<string, unknown>;
        key?: { jwtSecret: string } | { signingKey: string };
      } = {},
    ): Promise<Headers> => {
      const own = algorithm === "HS256" ? { jwtSecret } : { signingKey: userSigningKey };
      const user = { userId, expiresAt: new Date(atMs + 3_600_000), ...(claims ? { claims } : {}) };
      return { authorization: `Bearer ${await signUserToken(user, key ?? own)}` };
    },
    /** A visitor's token that the captcha's stand-in takes once, solved at `atMs`. */
    captcha: (atMs = Date.now()): Headers => ({ "x-captcha-token": `ok-${atMs}-${randomUUID()}` }),
  };
}
