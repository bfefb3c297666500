import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

/** How far a signed timestamp may be from our clock, either way. */
const toleranceMs = 300_000;

/**
 * Whether the body was signed by Standard Webhooks' rules, less than five minutes ago. A secret that begins with
 * `whsec_` goes on in base64, any other is taken as it is.
 */
export function isStandardWebhook(
  body: Buffer,
  sent: { id: string; timestamp: string; signature: string },
  secret: string,
): boolean {
  const webhook = secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(secret, { format: "raw" });
  const headers = {
    "webhook-id": sent.id,
    "webhook-timestamp": sent.timestamp,
    "webhook-signature": sent.signature,
  };
  try {
    webhook.verify(body, headers, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

/** Whether `signature` is the HMAC-SHA1 of the body in hex, as Vercel sends it. There is no time in it. */
export function isSha1Signature(body: Buffer, signature: string, secret: string): boolean {
  return equalTexts(signature.toLowerCase(), createHmac("sha1", secret).update(body).digest("hex"));
}

/**
 * Whether our own database trigger signed `timestamp.body` less than five minutes ago.
 * @param timestamp epoch milliseconds as text
 * @param signature HMAC-SHA256 in base64
 */
export function isDatabaseSignature(
  body: Buffer,
  { timestamp, signature }: { timestamp: string; signature: string },
  secret: string,
  nowMs: number,
): boolean {
  if (!/^\d{13}$/.test(timestamp) || Math.abs(nowMs - Number(timestamp)) > toleranceMs) return false;
  const expected = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("base64");
  return equalTexts(signature, expected);
}

/** Compares in constant time, whatever the lengths are. */
export function equalTexts(left: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
