import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidConfig } from "../lambdas/core/check-config.ts";
import { resolveStation } from "../lambdas/core/station.ts";
import { config } from "../station.config.ts";
import { hashInputs, inputsHashFile } from "./inputs-hash.ts";
import { synthesize } from "./synthesize.ts";

const root = join(import.meta.dirname, "..");
// The CDK CLI says where it wants the assembly; without it, it goes where the CLI would put it.
const outdir = process.env.CDK_OUTDIR ?? "cdk.out";
// Only on the way into the assembly, and one per process: two at a time must not read each other's half-written files.
const bundleDir = `build/functions-${process.pid}`;
const hash = await hashInputs(root);
try {
  await synthesize(resolveStation(config), { outdir, bundleDir });
  await writeFile(join(outdir, inputsHashFile), hash);
} catch (error) {
  if (!(error instanceof InvalidConfig)) throw error;
  // Whoever edited the config wants to read what is wrong with it, not where we noticed.
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  await rm(bundleDir, { recursive: true, force: true });
}
