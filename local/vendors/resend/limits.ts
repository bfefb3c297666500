import { ResendRefusal } from "./errors.ts";

const WINDOW_MS = 1_000;

export type RateWindow = {
  /** Counts one request; `allowed` is false beyond the limit. The headers belong on the answer either way. */
  take: () => { allowed: boolean; headers: Record<string, string> };
};

/**
 * Resend's rate limit as recordings of it behave: a window of one second that starts at the first request after the
 * previous one ended, not on the clock's second. `limit` is read each time, so it can change while running.
 */
export function createRateWindow(now: () => number, limit: () => number): RateWindow {
  let startedAt = Number.NEGATIVE_INFINITY;
  let used = 0;
  return {
    take() {
      const at = now();
      // A clock set back starts a new window too, else the limit would hold until it has caught up.
      if (at >= startedAt + WINDOW_MS || at < startedAt) {
        startedAt = at;
        used = 0;
      }
      const allowed = used < limit();
      if (allowed) used += 1;
      const resetSeconds = String(Math.ceil((startedAt + WINDOW_MS - at) / 1_000));
      const headers: Record<string, string> = {
        "ratelimit-limit": String(limit()),
        "ratelimit-remaining": String(Math.max(0, limit() - used)),
        "ratelimit-reset": resetSeconds,
        "ratelimit-policy": `${limit()};w=1`,
      };
      if (!allowed) headers["retry-after"] = resetSeconds;
      return { allowed, headers };
    },
  };
}

export type Quota = {
  /** Counts that many mails, or refuses them all. */
  spend: (mails: number) => void;
  usedToday: () => number;
};

/**
 * Mails per UTC day and per UTC month. Both refusals are 429s, but unlike `rate_limit_exceeded` waiting a second
 * does not help. `limits` is read each time, so they can change while running.
 */
export function createQuota(
  now: () => number,
  limits: () => { daily: number | undefined; monthly: number | undefined },
): Quota {
  let day = "";
  let month = "";
  let usedToday = 0;
  let usedThisMonth = 0;

  function turnPage(): void {
    const today = new Date(now()).toISOString().slice(0, 10);
    if (today !== day) usedToday = 0;
    if (today.slice(0, 7) !== month) usedThisMonth = 0;
    day = today;
    month = today.slice(0, 7);
  }

  return {
    spend(mails) {
      turnPage();
      const { daily, monthly } = limits();
      if (monthly !== undefined && usedThisMonth + mails > monthly) {
        throw new ResendRefusal("monthly_quota_exceeded", "You have reached your monthly email sending quota.");
      }
      if (daily !== undefined && usedToday + mails > daily) {
        throw new ResendRefusal("daily_quota_exceeded", "You have reached your daily email sending quota.");
      }
      usedToday += mails;
      usedThisMonth += mails;
    },
    usedToday() {
      turnPage();
      return usedToday;
    },
  };
}
