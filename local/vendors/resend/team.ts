import type { VendorEnv } from "../stand-in.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Quota } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import type { Store } from "./store.ts";

/** The environment of every Resend route. */
export type ResendEnv = VendorEnv;

/** What the routes of one Resend team share. */
export type Team = {
  store: Store;
  outbox: Outbox;
  quota: Quota;
  idempotency: Idempotency;
  now: () => number;
};
