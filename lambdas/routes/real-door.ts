import type { SecretName } from "../../registry/secrets.ts";
import { webhookVendors } from "../../registry/webhook-vendors.ts";
import { createTurnstile } from "../providers/turnstile.ts";
import {
  optionalSecret,
  providerUrl,
  requiredSecrets,
  secretsExpiry,
  station,
  tableName,
} from "../runtime/configuration.ts";
import { lazy } from "../runtime/lazy.ts";
import { now, realBreaker } from "../runtime/real-parts.ts";
import type { StateTable } from "../runtime/state-table.ts";
import type { Credentials } from "./door/authenticate.ts";
import { createOnce } from "./door/idempotency.ts";
import { createRateLimit } from "./door/rate-limit.ts";
import { createUserVerifier, type UserVerifier } from "./door/user-token.ts";
import type { ZoneParts } from "./door/zone.ts";

const secret = async (name: SecretName) => (await requiredSecrets([name]))[name];

/** What every zone's door is made of. */
export function realDoor(table: StateTable): Omit<ZoneParts<never>, "routes"> {
  return {
    records: station.routes,
    rateLimit: createRateLimit({ table, now }),
    credentials: realCredentials(),
    once: createOnce(tableName()),
  };
}

function realCredentials(): Credentials {
  const userVerifier = lazy(
    async (): Promise<UserVerifier> =>
      createUserVerifier({
        jwksUrl: `${providerUrl("supabase")}/auth/v1/.well-known/jwks.json`,
        jwtSecret: () => optionalSecret("supabaseJwtSecret"),
        now,
      }),
  );
  const turnstile = lazy(
    async () =>
      createTurnstile({
        secret: await secret("turnstileSecret"),
        baseUrl: providerUrl("turnstile"),
        timeoutMs: station.providers.turnstile.timeoutMs,
        breaker: realBreaker("turnstile"),
        now,
      }),
    secretsExpiry,
  );
  return {
    async internalSecrets() {
      const present = await secret("internalSecret");
      const previous = await optionalSecret("internalSecretPrevious");
      return previous ? [present, previous] : [present];
    },
    unsubscribeKey: () => secret("unsubscribeKey"),
    webhookSecret: (vendor) => secret(webhookVendors[vendor].secret),
    authHookSecret: () => secret("authHookSecret"),
    databaseWebhookSecret: () => secret("databaseWebhookSecret"),
    verifyUser: async (token) => (await userVerifier())(token),
    verifyCaptcha: async (token, remoteIp, key) => (await turnstile()).verify(token, remoteIp, key),
    now,
  };
}
