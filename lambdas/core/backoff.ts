/** SQS delays a message by at most 15 minutes. */
const longestDelaySeconds = 900;

/** Pause after the n-th failed attempt: doubles each time, within 15 minutes, spread by up to a fifth. */
export function backoffSeconds(attempt: number, baseSeconds: number, random: number): number {
  const pause = baseSeconds * 2 ** (attempt - 1) * (1 + random / 5);
  return Math.max(1, Math.min(longestDelaySeconds, Math.round(pause)));
}

/** Delay with which a deferred message is sent again. */
export function deferralSeconds(untilMs: number, nowMs: number): number {
  return Math.max(1, Math.min(longestDelaySeconds, Math.ceil((untilMs - nowMs) / 1000)));
}
