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

/** A station whose functions can be switched to each mutant; as long as none is, they are the deployed ones. */
export async function startMutantPlayer(): Promise<SeedPlayer> {
  const root = join(import.meta.dirname, "../..");
  const folder = await mkdtemp(join(tmpdir(), "flux-mutants-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const assemblyDir = await mutantAssembly(root, await freshAssembly(root, () => undefined), folder);
    const player = await startSeedPlayer({ assemblyDir });
    return {
      ...player,
      stop: async () => {
        await player.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Plays a mutant until the laws notice it, on seeds that suit it and are not among those `played`: a station remembers
 * what it has sent, so a seed is played on it once.
 */
export async function playMutant(player: SeedPlayer, mutant: Mutant, played: Set<number>): Promise<MutantResult> {
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
