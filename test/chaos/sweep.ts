import { boundaries } from "../../local/chaos/boundaries.ts";
import { coversAll } from "../../local/chaos/fault-plan.ts";
import type { StationProcessOptions } from "../../local/station-process.ts";
import { startChaosStation } from "./chaos-station.ts";
import { cleanUp, createCollector } from "./evidence.ts";
import { type Breach, judge } from "./laws.ts";
import { playSeed } from "./play-seed.ts";
import { storyOf } from "./story.ts";

/** How one seed ended. */
export interface SeedResult {
  seed: number;
  sent: number;
  breaches: Breach[];
  /** For each breach's item, what happened to it. */
  stories: Map<string, string[]>;
  parked: number;
  redriven: number;
  repeated: number;
  coldStarts: number;
  kills: Record<string, number>;
  faults: Record<string, number>;
  /** Refusals by a provider's own limit. */
  limitsMet: number;
  seconds: number;
}

export interface SeedPlayer {
  play(seed: number, mutant?: number): Promise<SeedResult>;
  stop(): Promise<void>;
}

/** A station on which seeds are played one after the other. */
export async function startSeedPlayer(options: StationProcessOptions = {}): Promise<SeedPlayer> {
  const station = await startChaosStation(options);
  const collector = createCollector(station);
  return {
    async play(seed, mutant = 0) {
      const startedMs = performance.now();
      const played = await playSeed(station, seed, mutant);
      const evidence = await collector.collect(seed);
      const { breaches, sent, parked } = judge(played, evidence);
      const events = played.webhooks.events();
      const stories = new Map(breaches.map(({ item }) => [item, storyOf(item, events, evidence.lines)]));
      await cleanUp(station);
      return {
        seed,
        sent,
        breaches,
        stories,
        parked: parked.length,
        redriven: played.redriven,
        repeated: played.repeated,
        coldStarts: played.coldStarts,
        kills: countBy(events.flatMap((event) => (event.kind === "kill" ? event.boundary : []))),
        faults: countBy(events.flatMap((event) => (event.kind === "fault" ? `${event.service} ${event.fault}` : []))),
        limitsMet: events.filter(({ kind }) => kind === "limit-met").length,
        seconds: (performance.now() - startedMs) / 1000,
      };
    },
    async stop() {
      collector.close();
      await station.stop();
    },
  };
}

function countBy(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Boundaries with the kills that all seeds had there. */
export function killsByBoundary(results: readonly SeedResult[]): { name: string; kills: number }[] {
  return boundaries.map((name) => ({ name, kills: results.reduce((sum, { kills }) => sum + (kills[name] ?? 0), 0) }));
}

/** Boundaries at which nothing died although so many seeds must have killed something at each. */
export function unvisited(results: readonly SeedResult[]): string[] {
  if (!coversAll(results.length)) return [];
  return killsByBoundary(results)
    .filter(({ kills }) => kills === 0)
    .map(({ name }) => name);
}
