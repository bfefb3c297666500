import { compactVerify, errors, jwtVerify, SignJWT } from "jose";
import { ApiError } from "./api-error.ts";

/** PostgREST allows clients this much clock skew. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** Keys have no natural end; a date beyond any advance of the station's clock. */
const KEYS_EXPIRE_AT = new Date("2099-12-31T00:00:00Z");

/** The role a request runs as and the claims its policies can read. */
export type Session = { role: string; claims: Record<string, unknown> };

/** Signs the two project keys that `createClient(url, key)` takes; the secret needs at least 32 bytes. */
export async function signProjectKeys(jwtSecret: string): Promise<{ anonKey: string; serviceRoleKey: string }> {
  const sign = (role: string) => signToken(jwtSecret, { iss: "supabase", role }, KEYS_EXPIRE_AT);
  return { anonKey: await sign("anon"), serviceRoleKey: await sign("service_role") };
}

/** Signs an HS256 token such as Supabase Auth issues to a user. */
export async function signToken(jwtSecret: string, claims: Record<string, unknown>, expiresAt: Date): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setExpirationTime(expiresAt)
    .sign(keyOf(jwtSecret));
}

/**
 * Finds out who calls: the `apikey` header must be one of ours, as Supabase's gateway demands, and the bearer token,
 * or else the key itself, names the role.
 */
export async function readSession(headers: Headers, jwtSecret: string, now: () => number): Promise<Session> {
  const apiKey = headers.get("apikey");
  if (!apiKey) {
    throw new ApiError(401, {
      message: "No API key found in request",
      hint: "Send the project key in the `apikey` header.",
    });
  }
  try {
    await compactVerify(apiKey, keyOf(jwtSecret), { algorithms: ["HS256"] });
  } catch {
    throw new ApiError(401, { message: "Invalid API key", hint: "Double check the `anon` or `service_role` key." });
  }
  const token = /^Bearer (.*)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? apiKey;
  const claims = await verify(token, jwtSecret, now);
  return { role: typeof claims.role === "string" ? claims.role : "anon", claims };
}

async function verify(token: string, jwtSecret: string, now: () => number): Promise<Record<string, unknown>> {
  try {
    const options = { algorithms: ["HS256"], currentDate: new Date(now()), clockTolerance: CLOCK_TOLERANCE_SECONDS };
    return (await jwtVerify(token, keyOf(jwtSecret), options)).payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw unauthorized("PGRST303", "JWT expired");
    if (error instanceof errors.JWTClaimValidationFailed) throw unauthorized("PGRST303", "JWT not yet valid");
    const parts = token.split(".").length;
    if (parts !== 3) throw unauthorized("PGRST301", `Expected 3 parts in JWT; got ${parts}`);
    if (error instanceof errors.JOSEAlgNotAllowed)
      throw unauthorized("PGRST301", "Wrong or unsupported encoding algorithm");
    throw unauthorized("PGRST301", "No suitable key or wrong key type", "None of the keys was able to decode the JWT");
  }
}

function unauthorized(code: string, message: string, details: string | null = null): ApiError {
  const headers = { "www-authenticate": `Bearer error="invalid_token", error_description="${message}"` };
  return new ApiError(401, { code, message, details }, headers);
}

function keyOf(jwtSecret: string): Uint8Array {
  return new TextEncoder().encode(jwtSecret);
}
