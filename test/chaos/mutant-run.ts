import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshAssembly } from "../../local/assembly/fresh-assembly.ts";
import { mutantAssembly, numberOf } from "./mutant-assembly.ts";
import { type Mutant, seedFor } from "./mutants.ts";
import { type SeedPlayer, startSeedPlayer } from "./sweep.ts";

export interface MutantResult {
  name: string;
  /** The seed that noticed, and the breach by which. */
  caughtBy: { seed: number; law: string; item: string } | undefined;
}

/** A bug is looked for in so many seeds that could bring it out. */
const seedsEach = 4;

/** Plays each mutant until the laws notice it. Tells of each as it ends. */
export async function playMutants(
  mutants: readonly Mutant[],
  tell: (result: MutantResult) => void,
): Promise<MutantResult[]> {
  const root = join(import.meta.dirname, "../..");
  const folder = await mkdtemp(join(tmpdir(), "flux-mutants-"));
  let player: SeedPlayer | undefined;
  try {
    const assemblyDir = await mutantAssembly(root, await freshAssembly(root, () => undefined), folder);
    player = await startSeedPlayer({ assemblyDir });
    const results: MutantResult[] = [];
    // A station remembers what it has sent: a seed is played on it once.
    const played = new Set<number>();
    for (const mutant of mutants) {
      const result = await playMutant(player, mutant, played);
      results.push(result);
      tell(result);
    }
    return results;
  } finally {
    await player?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function playMutant(player: SeedPlayer, mutant: Mutant, played: Set<number>): Promise<MutantResult> {
  for (let attempt = 0; attempt < seedsEach; attempt += 1) {
    const seed = seedFor(mutant, played);
    if (seed === undefined) break;
    played.add(seed);
    const { breaches } = await player.play(seed, numberOf(mutant));
    const first = breaches.find(({ law, item }) => mutant.shows.test(`${law} ${item}`));
    if (first) return { name: mutant.name, caughtBy: { seed, law: first.law, item: first.item } };
  }
  return { name: mutant.name, caughtBy: undefined };
}
