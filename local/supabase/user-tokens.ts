import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { z } from "zod";

const privateKey = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string(),
});

/** How a user's token is signed: with the project's shared secret, or with the key that `publicKeys` tells of. */
export type UserTokenKey = { jwtSecret: string } | { signingKey: string };

/** A new ES256 key as JSON, such as a Supabase project has for its user tokens. */
export async function createUserSigningKey(): Promise<string> {
  const { privateKey: key } = await generateKeyPair("ES256", { extractable: true });
  return JSON.stringify({ ...(await exportJWK(key)), kid: crypto.randomUUID() });
}

/** What `/auth/v1/.well-known/jwks.json` answers. */
export function publicKeys(signingKey: string): { keys: JWK[] } {
  const { d: _secret, ...key } = privateKey.parse(JSON.parse(signingKey));
  return { keys: [{ ...key, alg: "ES256", use: "sig", key_ops: ["verify"] }] };
}

/** A token as Supabase Auth gives a signed-in user; `claims` replace its usual ones. */
export async function signUserToken(
  user: { userId: string; expiresAt: Date; claims?: Record<string, unknown> },
  key: UserTokenKey,
): Promise<string> {
  const token = new SignJWT({
    sub: user.userId,
    aud: "authenticated",
    role: "authenticated",
    ...user.claims,
  }).setExpirationTime(user.expiresAt);
  if ("jwtSecret" in key)
    return token.setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(new TextEncoder().encode(key.jwtSecret));
  const jwk = privateKey.parse(JSON.parse(key.signingKey));
  return token.setProtectedHeader({ alg: "ES256", typ: "JWT", kid: jwk.kid }).sign(await importJWK(jwk, "ES256"));
}
