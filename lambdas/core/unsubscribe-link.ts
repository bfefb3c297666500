import { createHmac, timingSafeEqual } from "node:crypto";

/**
 * A link that unsubscribes one subscription. It has no expiry and no clock in it: a mail that is rendered again for
 * a retry must come out byte for byte the same, and an old mail's link must still work.
 */
export function unsubscribeLink(apiUrl: string, subscriptionId: string, key: string): string {
  return `${apiUrl}/email/unsubscribe?token=${subscriptionId}.${signatureOf(subscriptionId, key)}`;
}

/** The subscription a token was made for, or null when the token was not made with this key. */
export function subscriptionOfToken(token: string, key: string): string | null {
  const [subscriptionId = "", signature = ""] = token.split(".");
  const expected = Buffer.from(signatureOf(subscriptionId, key));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected) ? subscriptionId : null;
}

function signatureOf(subscriptionId: string, key: string): string {
  return createHmac("sha256", key).update(`unsubscribe\n${subscriptionId}`).digest("base64url");
}
