import { resolveStation } from "../lambdas/core/station.ts";
import { config } from "../station.config.ts";
import { synthesize } from "./synthesize.ts";

// The CDK CLI says where it wants the assembly; without it, it goes where the CLI would put it.
await synthesize(resolveStation(config), { outdir: process.env.CDK_OUTDIR ?? "cdk.out", bundleDir: "build/functions" });
