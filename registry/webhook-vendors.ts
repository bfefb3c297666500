import type { SecretName } from "./secrets.ts";

/** A company that calls us with signed webhooks, and how to tell that it is theirs. */
export interface WebhookVendorRecord {
  /** All of them must be there: that makes an unmatched request this vendor's webhook. */
  headers: readonly string[];
  /** Standard Webhooks (Svix has the same under names of its own), or an HMAC-SHA1 over the body alone. */
  signature: "standard-webhooks" | "hmac-sha1";
  secret: SecretName;
}

/** In the order in which a request's headers are looked at. */
export const webhookVendors = {
  resend: {
    headers: ["svix-id", "svix-timestamp", "svix-signature"],
    signature: "standard-webhooks",
    secret: "resendWebhookSecret",
  },
  vercel: { headers: ["x-vercel-signature"], signature: "hmac-sha1", secret: "vercelWebhookSecret" },
  polar: {
    headers: ["webhook-id", "webhook-timestamp", "webhook-signature"],
    signature: "standard-webhooks",
    secret: "polarWebhookSecret",
  },
} as const satisfies Record<string, WebhookVendorRecord>;

export type WebhookVendor = keyof typeof webhookVendors;
