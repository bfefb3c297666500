import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleFunctions, functionSources } from "../../infra/bundle.ts";
import { resolveStation } from "../../lambdas/core/station.ts";
import { config } from "../../station.config.ts";

const station = resolveStation(config);
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bundles-"));
  await bundleFunctions(station, directory);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

const bundleOf = (name: string) => readFile(join(directory, name, "index.mjs"), "utf8");

test("every function is bundled", async () => {
  expect((await readdir(directory)).sort()).toEqual(Object.keys(functionSources(station)).sort());
});

test("no function carries zod's error messages in fifty languages: 360 kB of every cold start", async () => {
  // Words of zod's German messages. `import { z } from "zod"` brings them; `import * as z from "zod"` does not.
  for (const name of Object.keys(functionSources(station)))
    expect((await bundleOf(name)).includes("Eingabe: erwartet"), name).toBe(false);
});
