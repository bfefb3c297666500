/** How often a run is started again before it is the operator's. */
export const mostResumptions = 3;

/** A task renews the lease on what it has in hand for so long, which is more than its function may live. */
export const longestLeaseMs = 20 * 60_000;

/** Step Functions takes names of up to 80 characters, and the ending needs ten of them. */
const longestBaseName = 70;

/**
 * The name under which a run that was stopped goes on: always the same, so that two sweeps start one run. Undefined
 * when it was started again `mostResumptions` times already.
 */
export function resumedName(name: string): string | undefined {
  const [, base = name, times = "0"] = /^(.*)-resumed-(\d)$/s.exec(name) ?? [];
  if (Number(times) >= mostResumptions) return undefined;
  return `${base.slice(0, longestBaseName)}-resumed-${Number(times) + 1}`;
}

/**
 * Whether a run has been at work for too long. `workingSinceMs` is when it was started or when its latest waiting state
 * ended; undefined while it waits, which it does on purpose.
 */
export function isStuck(workingSinceMs: number | undefined, nowMs: number, deadlineMinutes: number): boolean {
  return workingSinceMs !== undefined && nowMs - workingSinceMs > deadlineMinutes * 60_000;
}
