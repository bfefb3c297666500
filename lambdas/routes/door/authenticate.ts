import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { RouteRecord } from "../../../registry/routes.ts";
import { subscriptionOfToken } from "../../core/unsubscribe-link.ts";
import { Problem } from "./problem.ts";
import type { RouteRequest } from "./request.ts";

/** The secrets that callers are checked against; read on first use, so that a public route needs none. */
export interface Credentials {
  /** The present internal secret and, during a rotation, the former one. */
  internalSecrets: () => Promise<string[]>;
  unsubscribeKey: () => Promise<string>;
}

/** Who was let in. */
export interface Caller {
  /** Whom the idempotency key of the request belongs to. */
  identity: string;
  /** For a signed link: what it was signed for. */
  subscriptionId?: string;
}

/** The only place where a caller is let in or turned away: by the route's record, over the bytes as they came. */
export async function authenticate(
  auth: RouteRecord["auth"],
  request: RouteRequest,
  credentials: Credentials,
): Promise<Caller> {
  switch (auth.scheme) {
    case "public":
      return { identity: "public" };
    case "internal-secret": {
      if (await hasInternalSecret(request, credentials)) return { identity: "internal" };
      throw new Problem("unauthorized", "Send the station's internal secret in X-Internal-Secret.", {
        headers: { "www-authenticate": "InternalSecret" },
      });
    }
    case "signed-link": {
      const token = request.query.get("token") ?? "";
      const subscriptionId = subscriptionOfToken(token, await credentials.unsubscribeKey());
      if (subscriptionId) return { identity: `subscription:${subscriptionId}`, subscriptionId };
      throw new Problem("unauthorized", "This link is not complete or was not made by us. Use the link from a mail.");
    }
  }
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

async function hasInternalSecret(request: RouteRequest, credentials: Credentials): Promise<boolean> {
  const given = request.headers["x-internal-secret"];
  if (!given) return false;
  const valid = await credentials.internalSecrets();
  // Every candidate is compared, in constant time, so that timing tells nothing about either.
  return valid.map((secret) => equalSecrets(given, secret)).includes(true);
}

function equalSecrets(left: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
