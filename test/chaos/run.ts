// The fault sweep: seeds of load under kills and faults, then the laws. `npm run chaos -- --seeds 50 --json`.
import { parseArgs } from "node:util";
import { type MutantResult, playMutant, startMutantPlayer } from "./mutant-run.ts";
import { mutants } from "./mutants.ts";
import { complaintsOf, explain, reportOf } from "./report.ts";
import { type SeedResult, startSeedPlayer } from "./sweep.ts";

const usualSeeds = 50;
/** Stations side by side: much of a seed is waiting. Three keep two cores busy. */
const stationsAtOnce = 3;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: String(usualSeeds) },
    /** Only this one, without mutants. */
    seed: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

function numberOf(option: string, given: string): number {
  const number = Number(given);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`--${option} takes a whole number from 1 on, not "${given}".`);
  process.exit(1);
}

const seeds = values.seed
  ? [numberOf("seed", values.seed)]
  : Array.from({ length: numberOf("seeds", values.seeds) }, (_, index) => index + 1);
const startedMs = performance.now();
const say = (text: string) => (values.json ? console.error(text) : console.log(text));

/** Plays seeds on a station of its own until none is left. */
async function playLane(left: number[], results: SeedResult[]): Promise<void> {
  if (left.length === 0) return;
  const player = await startSeedPlayer();
  try {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const result = await player.play(seed);
      results.push(result);
      const kills = Object.values(result.kills).reduce((sum, count) => sum + count, 0);
      const faults = Object.values(result.faults).reduce((sum, count) => sum + count, 0);
      say(
        `seed ${seed}: ${result.sent} mails, ${kills} kills, ${faults} faults, ${result.repeated} delivered twice, ` +
          `${result.parked} parked, ${result.redriven} redriven, ${result.breaches.length} laws broken (${result.seconds.toFixed(1)} s)`,
      );
      if (result.breaches.length > 0) say(explain(result));
    }
  } finally {
    await player.stop();
  }
}

async function playAllMutants(): Promise<MutantResult[]> {
  const player = await startMutantPlayer();
  const played = new Set<number>();
  const ended: MutantResult[] = [];
  try {
    for (const mutant of mutants) {
      const result = await playMutant(player, mutant, played);
      ended.push(result);
      const { caughtBy } = result;
      const end = caughtBy ? `seed ${caughtBy.seed} noticed (${caughtBy.law}: ${caughtBy.item})` : "NOT NOTICED";
      say(`mutant "${mutant.name}": ${end}`);
    }
  } finally {
    await player.stop();
  }
  return ended;
}

const results: SeedResult[] = [];
const left = [...seeds];
const lane = () => playLane(left, results);
const catching = values.seed ? Promise.resolve([]) : playAllMutants();
const lanes = Array.from({ length: Math.min(stationsAtOnce - 1, seeds.length) }, lane);
await Promise.all([...lanes, catching.then(lane)]);
const caught = await catching;
results.sort((one, other) => one.seed - other.seed);
const report = reportOf(results, caught, (performance.now() - startedMs) / 1000);
const complaints = complaintsOf(report, results);
for (const complaint of complaints) say(complaint);
if (values.json) console.log(JSON.stringify(report));
else
  say(
    `${report.seeds} seeds, ${report.sent} mails: ${report.lost} lost, ${report.duplicated} duplicated, ` +
      `${report.unsettled} unsettled, ${report.disagreeing} disagreeing; ${report.parked} parked, ${report.redriven} redriven ` +
      `(${report.seconds} s)`,
  );
process.exitCode = complaints.length > 0 ? 1 : 0;
