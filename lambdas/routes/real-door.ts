import { optionalSecret, requiredSecrets, tableName } from "../runtime/configuration.ts";
import { now } from "../runtime/real-parts.ts";
import type { StateTable } from "../runtime/state-table.ts";
import type { Credentials } from "./door/authenticate.ts";
import { createOnce } from "./door/idempotency.ts";
import { createRateLimit } from "./door/rate-limit.ts";
import type { ZoneParts } from "./door/zone.ts";

const credentials: Credentials = {
  async internalSecrets() {
    const { internalSecret } = await requiredSecrets(["internalSecret"]);
    const previous = await optionalSecret("internalSecretPrevious");
    return previous ? [internalSecret, previous] : [internalSecret];
  },
  async unsubscribeKey() {
    return (await requiredSecrets(["unsubscribeKey"])).unsubscribeKey;
  },
};

/** What every zone's door is made of. */
export function realDoor(table: StateTable): Omit<ZoneParts<never>, "routes"> {
  return { rateLimit: createRateLimit({ table, now }), credentials, once: createOnce(tableName()) };
}
