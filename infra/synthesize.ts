import { App } from "aws-cdk-lib";
import type { Station } from "../lambdas/core/station.ts";
import { bundleFunctions } from "./bundle.ts";
import { StationStack } from "./station-stack.ts";

/** Behaviour of the CDK that is off by default for the sake of older apps. */
const featureFlags = {
  "@aws-cdk/core:checkSecretUsage": true,
  "@aws-cdk/core:target-partitions": ["aws"],
  "@aws-cdk/aws-iam:minimizePolicies": true,
  "@aws-cdk/aws-lambda:recognizeLayerVersion": true,
};

/** Bundles the functions and writes the cloud assembly to `outdir`. Needs neither an account nor Docker. */
export async function synthesize(
  station: Station,
  { outdir, bundleDir, stage }: { outdir: string; bundleDir: string; stage?: string },
): Promise<void> {
  await bundleFunctions(station, bundleDir);
  const app = new App({ outdir, context: featureFlags, analyticsReporting: false });
  new StationStack(app, "flux-station", {
    station,
    stage: stage ?? app.node.tryGetContext("stage") ?? "prod",
    bundleDir,
  });
  app.synth();
}
