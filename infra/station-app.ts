import { App } from "aws-cdk-lib";
import type { Station } from "../lambdas/core/station.ts";
import { StationStack } from "./station-stack.ts";

/** Behaviour of the CDK that is off by default for the sake of older apps. */
const featureFlags = {
  "@aws-cdk/core:checkSecretUsage": true,
  "@aws-cdk/core:target-partitions": ["aws"],
  "@aws-cdk/aws-iam:minimizePolicies": true,
  "@aws-cdk/aws-lambda:recognizeLayerVersion": true,
  // Holds the template against CloudFormation's own schemas; CDK_VALIDATION=false leaves it out.
  "@aws-cdk/core:validateAgainstDefaultRules": true,
};

export interface SynthesisOptions {
  outdir: string;
  bundleDir: string;
  stage?: string;
}

/** The CDK app with its one stack, not yet written; the functions' bundles must be in `bundleDir`. */
export function buildApp(station: Station, { outdir, bundleDir, stage }: SynthesisOptions): App {
  const app = new App({
    outdir,
    context: featureFlags,
    analyticsReporting: false,
  });
  new StationStack(app, "flux-station", {
    station,
    stage: stage ?? app.node.tryGetContext("stage") ?? "prod",
    bundleDir,
  });
  return app;
}
