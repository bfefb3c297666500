import { checkConfig, InvalidConfig } from "../lambdas/core/check-config.ts";
import type { Station } from "../lambdas/core/station.ts";
import { bundleFunctions } from "./bundle.ts";
import type { SynthesisOptions } from "./station-app.ts";

/**
 * Bundles the functions and writes the cloud assembly to `outdir`. Needs neither an account nor Docker. Throws
 * InvalidConfig with every mistake of `station.config.ts`.
 */
export async function synthesize(station: Station, options: SynthesisOptions): Promise<void> {
  const problems = checkConfig(station.config);
  if (problems.length > 0) throw new InvalidConfig(problems);
  // Loading the CDK takes about as long as bundling, which is another process's work.
  const [{ buildApp }] = await Promise.all([import("./station-app.ts"), bundleFunctions(station, options.bundleDir)]);
  buildApp(station, options).synth();
}
