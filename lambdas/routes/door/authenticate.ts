import { isIP } from "node:net";
import type { RouteRecord } from "../../../registry/routes.ts";
import { type WebhookVendor, type WebhookVendorRecord, webhookVendors } from "../../../registry/webhook-vendors.ts";
import { entriesOf } from "../../core/record.ts";
import { subscriptionOfToken } from "../../core/unsubscribe-link.ts";
import { uuidOf } from "../../core/uuid.ts";
import { Problem } from "./problem.ts";
import type { RouteRequest } from "./request.ts";
import { equalTexts, isDatabaseSignature, isSha1Signature, isStandardWebhook } from "./signatures.ts";
import type { UserVerifier } from "./user-token.ts";

/** What callers are checked against; each is read on first use, so that a route needs no secret but its own. */
export interface Credentials {
  /** The present internal secret and, during a rotation, the former one. */
  internalSecrets: () => Promise<string[]>;
  unsubscribeKey: () => Promise<string>;
  webhookSecret: (vendor: WebhookVendor) => Promise<string>;
  /** As Supabase shows them: `v1,whsec_...`; several with `|` between them during a rotation. */
  authHookSecret: () => Promise<string>;
  /** Shared with the trigger function that signs the database's pokes. */
  databaseWebhookSecret: () => Promise<string>;
  verifyUser: UserVerifier;
  /** Whether a visitor has solved the challenge; the same key may ask again about the same token. */
  verifyCaptcha: (token: string, remoteIp: string, idempotencyKey: string | undefined) => Promise<boolean>;
  now: () => number;
}

/** Who was let in. */
export interface Caller {
  /** Whom the idempotency key of the request belongs to. */
  identity: string;
  /** For a signed link: what it was signed for. */
  subscriptionId?: string;
  /** For a signed-in user. */
  userId?: string;
  /** For a signed webhook: whose it is. */
  vendor?: WebhookVendor;
}

const internal: Caller = { identity: "internal" };

/** The only place where a caller is let in or turned away: by the route's record, over the bytes as they came. */
export async function authenticate(
  auth: RouteRecord["auth"],
  request: RouteRequest,
  credentials: Credentials,
): Promise<Caller> {
  switch (auth.scheme) {
    case "public":
      return { identity: "public" };
    case "internal-secret":
      return requireInternalSecret(request, credentials);
    case "user-jwt":
      return requireUser(request, credentials);
    case "internal-secret-and-user":
      await requireInternalSecret(request, credentials);
      return requireUser(request, credentials);
    case "vendor-signature":
      return requireVendor(auth.vendors, request, credentials);
    case "auth-hook-or-internal-secret":
      return request.headers["webhook-signature"] === undefined
        ? requireInternalSecret(request, credentials)
        : requireAuthHook(request, credentials);
    case "database-hmac":
      return requireDatabase(request, credentials);
    case "captcha":
      return requireCaptcha(request, credentials);
    case "signed-link": {
      const token = request.query.get("token") ?? "";
      const subscriptionId = subscriptionOfToken(token, await credentials.unsubscribeKey());
      if (subscriptionId) return { identity: `subscription:${subscriptionId}`, subscriptionId };
      throw new Problem("unauthorized", "This link is not complete or was not made by us. Use the link from a mail.");
    }
  }
}

/** The vendor whose full set of headers a request has; whether it is the vendor's is not said yet. */
export function vendorOf({ headers }: RouteRequest): WebhookVendor | undefined {
  return entriesOf<WebhookVendor, WebhookVendorRecord>(webhookVendors).find(([, vendor]) =>
    vendor.headers.every((name) => headers[name]),
  )?.[0];
}

/**
 * Whose requests are counted together: the connection's address, or the end client that a trusted server names in
 * X-End-Client - a web server is one address for all its visitors.
 */
export async function clientOf(request: RouteRequest, credentials: Credentials): Promise<string> {
  const named = request.headers["x-end-client"];
  if (!named || !(await hasInternalSecret(request, credentials))) return request.sourceIp;
  if (isIP(named) === 0) throw new Problem("invalid-request", "X-End-Client must be one IP address.");
  return named;
}

async function requireInternalSecret(request: RouteRequest, credentials: Credentials): Promise<Caller> {
  if (await hasInternalSecret(request, credentials)) return internal;
  throw refused("Send the station's internal secret in X-Internal-Secret.", "InternalSecret");
}

async function requireUser(request: RouteRequest, { verifyUser }: Credentials): Promise<Caller> {
  const token = /^Bearer ([\w.-]{1,8192})$/i.exec(request.headers.authorization ?? "")?.[1];
  const userId = token ? await verifyUser(token) : undefined;
  if (userId) return { identity: `user:${userId}`, userId };
  throw refused("Send a signed-in user's access token: Authorization: Bearer ...", "Bearer");
}

async function requireVendor(
  vendors: readonly WebhookVendor[],
  request: RouteRequest,
  credentials: Credentials,
): Promise<Caller> {
  const vendor = vendorOf(request);
  if (vendor && vendors.includes(vendor)) {
    const { headers, signature }: WebhookVendorRecord = webhookVendors[vendor];
    const secret = await credentials.webhookSecret(vendor);
    const [first = "", second = "", third = ""] = headers.map((name) => request.headers[name] ?? "");
    const genuine =
      signature === "hmac-sha1"
        ? isSha1Signature(request.body, first, secret)
        : isStandardWebhook(request.body, { id: first, timestamp: second, signature: third }, secret);
    if (genuine) return { identity: vendor, vendor };
  }
  throw refused("The webhook's signature is missing, wrong, or more than five minutes old.", "WebhookSignature");
}

async function requireAuthHook({ headers, body }: RouteRequest, { authHookSecret }: Credentials): Promise<Caller> {
  const sent = {
    id: headers["webhook-id"] ?? "",
    timestamp: headers["webhook-timestamp"] ?? "",
    signature: headers["webhook-signature"] ?? "",
  };
  const secrets = (await authHookSecret()).split("|").map((secret) => secret.replace(/^v1,/, ""));
  if (secrets.some((secret) => isStandardWebhook(body, sent, secret))) return { identity: "auth-hook" };
  throw refused("The hook's signature is wrong or more than five minutes old.", "WebhookSignature");
}

async function requireDatabase({ headers, body }: RouteRequest, credentials: Credentials): Promise<Caller> {
  const timestamp = headers["x-webhook-timestamp"];
  const signature = headers["x-webhook-signature"];
  if (timestamp && signature) {
    const secret = await credentials.databaseWebhookSecret();
    if (isDatabaseSignature(body, { timestamp, signature }, secret, credentials.now())) return { identity: "database" };
  }
  throw refused("The database's signature is missing, wrong, or more than five minutes old.", "WebhookSignature");
}

/** A server that holds the internal secret vouches for its visitors. */
async function requireCaptcha(request: RouteRequest, credentials: Credentials): Promise<Caller> {
  if (await hasInternalSecret(request, credentials)) return internal;
  const token = request.headers["x-captcha-token"];
  const key = request.headers["idempotency-key"];
  // A token counts once. Asked about again by the repetition of one request, it still stands.
  const sameRequest = key ? uuidOf(`${request.path}\n${key}`, request.body) : undefined;
  if (token && (await credentials.verifyCaptcha(token, request.sourceIp, sameRequest))) return { identity: "visitor" };
  throw refused("Solve the challenge and send its token in X-Captcha-Token; a token counts once.", "Captcha");
}

function refused(detail: string, challenge: string): Problem {
  return new Problem("unauthorized", detail, { headers: { "www-authenticate": challenge } });
}

async function hasInternalSecret(request: RouteRequest, credentials: Credentials): Promise<boolean> {
  const given = request.headers["x-internal-secret"];
  if (!given) return false;
  const valid = await credentials.internalSecrets();
  // Every candidate is compared, in constant time, so that timing tells nothing about either.
  return valid.map((secret) => equalTexts(given, secret)).includes(true);
}
