import { cpus } from "node:os";
import type { Benchmark } from "../benchmark.ts";
import { type PacedResult, type PacedRun, runPaced } from "./paced-run.ts";

/** As many calls in hand as use the limit up. The first windows are longer, until the pacer knows the machine. */
const runs: Record<string, PacedRun> = {
  "2/s": { limit: 2, seconds: 18, warmUpSeconds: 8, inHand: 4, urgent: true },
  "5/s": { limit: 5, seconds: 18, warmUpSeconds: 8, inHand: 4, urgent: true },
  "10/s": { limit: 10, seconds: 18, warmUpSeconds: 8, inHand: 8, urgent: true },
  "100/s": { limit: 100, seconds: 18, warmUpSeconds: 8, inHand: 16, urgent: true },
  "10/s cut to 5/s": { limit: 10, cut: { limit: 5, afterSeconds: 9.3 }, seconds: 15, warmUpSeconds: 6, inHand: 8 },
};

/** Eight processes and one pacer: how much of a limit they use, and how often they overrun it. */
export const pacer: Benchmark = {
  about: "8 worker processes share a provider's rate limit; each call is held back for 0-20 ms",
  async run(show) {
    const metrics: Record<string, number | string> = {
      node: process.version,
      cores: cpus().length,
      processes: 8,
    };
    for (const [name, run] of Object.entries(runs)) {
      const result = await runPaced(run);
      show(`${name}: ${sentenceOf(result)}`);
      metrics[`${name} calls`] = result.calls;
      metrics[`${name} refused`] = result.refused;
      metrics[`${name} used share`] = rounded(result.usedShare, 4);
      metrics[`${name} deferred`] = result.deferred;
      metrics[`${name} longest stall ms`] = rounded(result.stallMs);
      metrics[`${name} bulk wait median ms`] = rounded(result.bulkWaitMs.median);
      metrics[`${name} bulk wait p99 ms`] = rounded(result.bulkWaitMs.p99);
      if (!run.urgent) continue;
      metrics[`${name} urgent wait median ms`] = rounded(result.urgentWaitMs.median);
      metrics[`${name} urgent wait p99 ms`] = rounded(result.urgentWaitMs.p99);
      metrics[`${name} urgent wait max ms`] = rounded(result.urgentWaitMs.max);
    }
    return metrics;
  },
};

const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits));

function sentenceOf({ calls, refused, usedShare, bulkWaitMs, urgentWaitMs, stallMs }: PacedResult): string {
  const urgent = urgentWaitMs.count > 0 ? `, urgent ${Math.round(urgentWaitMs.max)} ms at most` : "";
  return (
    `${calls} calls, ${refused} refused, ${(usedShare * 100).toFixed(1)} % of the limit used; ` +
    `a bulk call waits ${Math.round(bulkWaitMs.median)} ms (median)${urgent}; ` +
    `the machine kept a worker waiting for ${stallMs} ms at most`
  );
}
