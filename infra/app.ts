import { InvalidConfig } from "../lambdas/core/check-config.ts";
import { resolveStation } from "../lambdas/core/station.ts";
import { config } from "../station.config.ts";
import { synthesize } from "./synthesize.ts";

try {
  // The CDK CLI says where it wants the assembly; without it, it goes where the CLI would put it.
  const outdir = process.env.CDK_OUTDIR ?? "cdk.out";
  await synthesize(resolveStation(config), { outdir, bundleDir: "build/functions" });
} catch (error) {
  if (!(error instanceof InvalidConfig)) throw error;
  // Whoever edited the config wants to read what is wrong with it, not where we noticed.
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
