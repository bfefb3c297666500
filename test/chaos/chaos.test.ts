import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { MutantRotten, mutated } from "./mutant-assembly.ts";
import { playMutant, startMutantPlayer } from "./mutant-run.ts";
import { mutants } from "./mutants.ts";
import { explain } from "./report.ts";
import type { SeedPlayer } from "./sweep.ts";

// A small sweep; `npm run chaos` is the whole one.
vi.setConfig({ testTimeout: 240_000 });

const root = join(import.meta.dirname, "../..");

describe("Under kills and faults", () => {
  let player: SeedPlayer;
  const played = new Set<number>();
  beforeAll(async () => {
    player = await startMutantPlayer();
  }, 240_000);
  afterAll(() => player?.stop());

  test.each([1, 2])("nothing is lost and nothing is sent twice (seed %i)", async (seed) => {
    played.add(seed);
    const result = await player.play(seed);
    expect(result.breaches, explain(result)).toEqual([]);
    expect(result.sent).toBeGreaterThan(20);
    expect(Object.keys(result.kills).length).toBeGreaterThan(3);
    expect(result.repeated).toBeGreaterThan(5);
  });

  test("a deliberate bug is noticed: another idempotency key for each attempt", async () => {
    const bug = mutants.find(({ name }) => name === "new key per attempt");
    if (!bug) throw new Error("there is no such mutant");
    expect(await playMutant(player, bug, played)).toMatchObject({ caughtBy: { law: "duplicated" } });
  });
});

describe("The mutants", () => {
  test.each([...new Set(mutants.flatMap(({ edits }) => edits.map(({ file }) => file)))])("fit %s", (file) => {
    const source = readFileSync(join(root, file), "utf8");
    expect(mutated(file, source)).toContain("globalThis.chaosMutant ===");
  });

  test("are refused once their source has changed under them", () => {
    const [edit] = mutants.flatMap(({ edits }) => edits);
    expect(() => mutated(edit?.file ?? "", "export const nothing = 1;")).toThrow(MutantRotten);
  });
});
