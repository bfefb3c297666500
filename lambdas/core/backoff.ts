/** SQS delays a message by at most 15 minutes. */
export const longestDelaySeconds = 900;

/** Pause after the n-th failed attempt: doubles each time, within 15 minutes, spread by up to a fifth. */
export function backoffSeconds(attempt: number, baseSeconds: number, random: number): number {
  const pause = baseSeconds * 2 ** (attempt - 1) * (1 + random / 5);
  return Math.max(1, Math.min(longestDelaySeconds, Math.round(pause)));
}

/**
 * Delay with which a deferred message is sent again. Of a long wait it is spread by up to a fifth: what was put off
 * together must not come back in the same second.
 */
export function deferralSeconds(untilMs: number, nowMs: number, random: number): number {
  const waitSeconds = Math.ceil((untilMs - nowMs) / 1000);
  return Math.max(1, Math.min(longestDelaySeconds, waitSeconds + Math.floor((random * waitSeconds) / 5)));
}
