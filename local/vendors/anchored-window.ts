export type WindowReading = {
  limit: number;
  used: number;
  remaining: number;
  /** Milliseconds since the epoch at which the window that is open, or would open now, ends. */
  endsAtMs: number;
  endsInMs: number;
};

export type AnchoredWindow = {
  read: () => WindowReading;
  /** Counts one request; the caller has looked at `read().remaining` first. */
  use: () => void;
};

/**
 * A rate window that begins at the first request after the previous one ended, not on the clock's second or minute.
 * `limit` is read each time, so it can change while running.
 */
export function createAnchoredWindow(options: {
  now: () => number;
  lengthMs: number;
  limit: () => number;
}): AnchoredWindow {
  const { now, lengthMs, limit } = options;
  let startedAtMs = Number.NEGATIVE_INFINITY;
  let used = 0;

  function turn(): number {
    const atMs = now();
    // A clock set back starts a new window too, else the limit would hold until it has caught up.
    if (atMs >= startedAtMs + lengthMs || atMs < startedAtMs) {
      startedAtMs = atMs;
      used = 0;
    }
    return atMs;
  }

  return {
    read() {
      const atMs = turn();
      const endsAtMs = startedAtMs + lengthMs;
      return { limit: limit(), used, remaining: Math.max(0, limit() - used), endsAtMs, endsInMs: endsAtMs - atMs };
    },
    use() {
      turn();
      used += 1;
    },
  };
}
