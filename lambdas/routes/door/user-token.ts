import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";
import * as z from "zod";
import { ProviderUnavailable } from "../../core/provider-failure.ts";

/** Answers the user's id, or undefined when the token is not one of a signed-in user of our project. */
export type UserVerifier = (token: string) => Promise<string | undefined>;

const userId = z.uuid();

/** What is wrong when a token is no good; every other failure is a failure to fetch the keys. */
const refusals = [
  errors.JWTInvalid,
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWKSNoMatchingKey,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
];

/**
 * Checks access tokens of Supabase Auth: signature, expiry and the audience that only signed-in users have.
 * @param jwtSecret the project's shared secret, if it still signs with one (HS256); all others come from `jwksUrl`.
 */
export function createUserVerifier({
  jwksUrl,
  jwtSecret,
  now,
}: {
  jwksUrl: string;
  jwtSecret: () => Promise<string | undefined>;
  now: () => number;
}): UserVerifier {
  const publicKeys = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: 5_000 });
  return async (token) => {
    const options = {
      audience: "authenticated",
      requiredClaims: ["exp", "sub"],
      currentDate: new Date(now()),
    };
    // The header only chooses the kind of key; a public key is never used as a shared secret.
    const isShared = algorithmOf(token) === "HS256";
    const secret = isShared ? await jwtSecret() : undefined;
    if (isShared && !secret) return undefined;
    try {
      const { payload } = secret
        ? await jwtVerify(token, new TextEncoder().encode(secret), { ...options, algorithms: ["HS256"] })
        : await jwtVerify(token, publicKeys, { ...options, algorithms: ["ES256", "RS256"] });
      return userId.safeParse(payload.sub).data;
    } catch (error) {
      if (refusals.some((refusal) => error instanceof refusal)) return undefined;
      throw new ProviderUnavailable("The keys of Supabase Auth could not be read; try again.", { cause: error });
    }
  };
}

function algorithmOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).alg;
  } catch {
    return undefined;
  }
}
