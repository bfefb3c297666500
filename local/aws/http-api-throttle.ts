/** API Gateway's token bucket: `burst` requests at once, refilled at `ratePerSecond`. Without limits it lets all pass. */
export function createThrottle(limits: {
  burst: number | undefined;
  ratePerSecond: number | undefined;
  now(): number;
}): { take(): boolean } {
  const { burst, ratePerSecond, now } = limits;
  if (burst === undefined || ratePerSecond === undefined) return { take: () => true };
  let tokens = burst;
  let filledAt = now();
  return {
    take: () => {
      const at = now();
      tokens = Math.min(burst, tokens + ((at - filledAt) / 1000) * ratePerSecond);
      filledAt = at;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
