/**
 * Calls per call allowed, from the first window of the provider that begins after `fromMs` to the beginning of the
 * last one. A window begins with the first call a second or more after the beginning of the one before.
 */
export function usedShare(arrivalsMs: readonly number[], limit: number, fromMs: number): number {
  const sorted = arrivalsMs.toSorted((left, right) => left - right);
  const starts: number[] = [];
  for (const arrivedMs of sorted) {
    if (arrivedMs >= (starts.at(-1) ?? Number.NEGATIVE_INFINITY) + 1000) starts.push(arrivedMs);
  }
  const first = starts.find((start) => start >= fromMs) ?? Number.NaN;
  const last = starts.at(-1) ?? Number.NaN;
  const within = sorted.filter((arrivedMs) => arrivedMs >= first && arrivedMs < last).length;
  return within / ((limit * (last - first)) / 1000);
}
