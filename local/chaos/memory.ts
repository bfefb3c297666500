import { hash32 } from "./hash.ts";

const header = { seed: 0, disturbing: 1, mutant: 2, environments: 3, coldStarts: 4 } as const;
const headerSize = 8;
/** So many that two items rarely share one; sharing only means that one is let through earlier. */
const counterCount = 1 << 18;

/** What the station's process and all its threads share: whether to disturb, by which seed, and what came by how often. */
export interface ChaosMemory {
  buffer: SharedArrayBuffer;
  seed(): number;
  disturbing(): boolean;
  /** Number of the deliberate bug that is switched on, from 1; 0 for none. */
  mutant(): number;
  /** Begins a seed: nothing came by yet. */
  begin(seed: number, mutant: number): void;
  setDisturbing(disturbing: boolean): void;
  /** How often this came by before, in this seed. */
  count(what: string): number;
  /** A number for an execution environment, one after the other since the seed began. */
  nextEnvironment(): number;
  noteColdStart(): void;
  /** Execution environments started since the seed began. */
  coldStarts(): number;
}

export const createChaosBuffer = (): SharedArrayBuffer =>
  new SharedArrayBuffer((headerSize + counterCount) * Int32Array.BYTES_PER_ELEMENT);

export function chaosMemory(buffer: SharedArrayBuffer): ChaosMemory {
  const words = new Int32Array(buffer);
  return {
    buffer,
    seed: () => Atomics.load(words, header.seed),
    disturbing: () => Atomics.load(words, header.disturbing) === 1,
    mutant: () => Atomics.load(words, header.mutant),
    begin(seed, mutant) {
      words.fill(0);
      Atomics.store(words, header.seed, seed);
      Atomics.store(words, header.mutant, mutant);
    },
    setDisturbing(disturbing) {
      Atomics.store(words, header.disturbing, disturbing ? 1 : 0);
    },
    count: (what) => Atomics.add(words, headerSize + (hash32(what) % counterCount), 1),
    nextEnvironment: () => Atomics.add(words, header.environments, 1),
    noteColdStart: () => {
      Atomics.add(words, header.coldStarts, 1);
    },
    coldStarts: () => Atomics.load(words, header.coldStarts),
  };
}
