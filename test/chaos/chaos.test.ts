import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { MutantRotten, mutated } from "./mutant-assembly.ts";
import { playMutants } from "./mutant-run.ts";
import { mutants } from "./mutants.ts";
import { explain } from "./report.ts";
import { startSeedPlayer } from "./sweep.ts";

// A small sweep; `npm run chaos` is the whole one.
vi.setConfig({ testTimeout: 240_000 });

const root = join(import.meta.dirname, "../..");

describe.concurrent("Under kills and faults", () => {
  test("nothing is lost and nothing is sent twice", async () => {
    const player = await startSeedPlayer();
    try {
      for (const seed of [1, 2]) {
        const result = await player.play(seed);
        expect(result.breaches, explain(result)).toEqual([]);
        expect(result.sent).toBeGreaterThan(20);
        expect(Object.keys(result.kills).length).toBeGreaterThan(3);
        expect(result.repeated).toBeGreaterThan(5);
      }
    } finally {
      await player.stop();
    }
  });

  test("a deliberate bug is noticed: another idempotency key for each attempt", async () => {
    const bug = mutants.filter(({ name }) => name === "new key per attempt");
    expect(bug).toHaveLength(1);
    const results = await playMutants(bug, () => undefined);
    expect(results).toMatchObject([{ caughtBy: { law: "duplicated" } }]);
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
