import type { MutantResult } from "./mutant-run.ts";
import { killsByBoundary, type SeedResult, unvisited } from "./sweep.ts";

/** What a sweep came to; the last line of `npm run chaos -- --json`. */
export interface SweepReport {
  seeds: number;
  sent: number;
  lost: number;
  duplicated: number;
  /** Keys that were left undecided, and things that disagree about what happened. */
  unsettled: number;
  disagreeing: number;
  boundaries: { name: string; kills: number }[];
  /** "all", or the names of those that nobody noticed; null when none were tried. */
  mutantsCaught: "all" | string[] | null;
  parked: number;
  redriven: number;
  deliveredTwice: number;
  faults: Record<string, number>;
  limitsMet: number;
  failingSeeds: number[];
  seconds: number;
}

export function reportOf(
  results: readonly SeedResult[],
  mutants: readonly MutantResult[],
  seconds: number,
): SweepReport {
  const breaches = results.flatMap((result) => result.breaches);
  const broken = (law: string) => breaches.filter((breach) => breach.law === law).length;
  const sum = (field: "sent" | "parked" | "redriven" | "repeated" | "limitsMet") =>
    results.reduce((total, result) => total + result[field], 0);
  const missed = mutants.filter(({ caughtBy }) => !caughtBy).map(({ name }) => name);
  const faults: Record<string, number> = {};
  for (const result of results)
    for (const [name, count] of Object.entries(result.faults)) faults[name] = (faults[name] ?? 0) + count;
  return {
    seeds: results.length,
    sent: sum("sent"),
    lost: broken("lost"),
    duplicated: broken("duplicated"),
    unsettled: broken("unsettled"),
    disagreeing: broken("disagrees"),
    boundaries: killsByBoundary(results),
    mutantsCaught: mutants.length === 0 ? null : missed.length === 0 ? "all" : missed,
    parked: sum("parked"),
    redriven: sum("redriven"),
    deliveredTwice: sum("repeated"),
    faults,
    limitsMet: sum("limitsMet"),
    failingSeeds: results.filter((result) => result.breaches.length > 0).map(({ seed }) => seed),
    seconds: Math.round(seconds),
  };
}

/** Why a sweep failed, in sentences; empty when it did not. */
export function complaintsOf(report: SweepReport, results: readonly SeedResult[]): string[] {
  const boundaries = unvisited(results);
  return [
    ...(report.failingSeeds.length > 0 ? [`Laws were broken by seeds ${report.failingSeeds.join(", ")}.`] : []),
    ...(boundaries.length > 0 ? [`Nothing was killed at ${boundaries.join(", ")}.`] : []),
    ...(Array.isArray(report.mutantsCaught) ? [`Nobody noticed: ${report.mutantsCaught.join("; ")}.`] : []),
  ];
}

/** What broke in a seed, for which item and why, and how to see it again. */
export function explain({ seed, breaches, stories }: SeedResult): string {
  const lines = breaches.flatMap(({ law, item, what }) => [
    `  ${law}: ${item}: ${what}`,
    ...(stories.get(item) ?? []).map((line) => `      ${line}`),
  ]);
  return [`Seed ${seed} broke ${breaches.length} laws:`, ...lines, `Again: npm run chaos -- --seed ${seed}`].join("\n");
}
