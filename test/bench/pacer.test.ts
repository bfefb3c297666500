import { expect, test } from "vitest";
import { type PacedRun, runPaced } from "../../bench/pacer/paced-run.ts";

/**
 * The promise is about calls that are held back for 20 ms at most. A machine that keeps a process from its work for
 * longer breaks it by itself: then the run is repeated. The figures are the benchmark's.
 */
async function runUndisturbed(run: PacedRun, mostRefused: number) {
  for (let attempt = 1; ; attempt += 1) {
    const result = await runPaced(run);
    if (result.refused <= mostRefused || result.stallMs < 15) return result;
    if (attempt === 3) return undefined;
  }
}

test("eight processes at ten a second are never refused, use the limit, and let an urgent call pass", async (context) => {
  const run = { limit: 10, seconds: 12, warmUpSeconds: 6, inHand: 8, urgent: true };
  const result = await runUndisturbed(run, 0);
  if (!result) return context.skip("this machine keeps processes waiting for longer than the pacer allows for");
  expect(result.refused).toBe(0);
  // 97 percent on a calm machine; each late window costs what it is late.
  expect(result.usedShare).toBeGreaterThan(result.stallMs < 15 ? 0.95 : 0.8);
  expect(result.urgentWaitMs.count).toBeGreaterThan(0);
  expect(result.urgentWaitMs.max).toBeLessThan(1128 + 2 * result.stallMs);
}, 90_000);

test("eight processes at ten a second make at most one call too many when the limit is cut to five", async (context) => {
  const run = { limit: 10, cut: { limit: 5, afterSeconds: 4.4 }, seconds: 7, warmUpSeconds: 2, inHand: 8 };
  const result = await runUndisturbed(run, 1);
  if (!result) return context.skip("this machine keeps processes waiting for longer than the pacer allows for");
  expect(result.refused).toBeLessThanOrEqual(1);
  expect(result.calls).toBeGreaterThan(30);
}, 90_000);
