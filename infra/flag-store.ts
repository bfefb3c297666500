import { Duration, Stack } from "aws-cdk-lib";
import {
  Application,
  ConfigurationContent,
  ConfigurationType,
  DeploymentStrategy,
  Environment,
  HostedConfiguration,
  RolloutStrategy,
} from "aws-cdk-lib/aws-appconfig";
import { Construct } from "constructs";
import { physicalName } from "../lambdas/core/names.ts";
import { mapRecord } from "../lambdas/core/record.ts";
import type { Station } from "../lambdas/core/station.ts";

/**
 * The flags of the registry in AWS AppConfig, where the operator flips them. A deployment of the stack changes them
 * only when the registry or the config did: then all of them are again as the config says.
 */
export class FlagStore extends Construct {
  readonly application: string;
  readonly environment: string;
  readonly profile: string;
  /** What a function must be allowed to read. */
  readonly arn: string;

  constructor(scope: Construct, id: string, { station, stage }: { station: Station; stage: string }) {
    super(scope, id);
    const application = new Application(this, "application", { applicationName: physicalName(stage, "flags") });
    const environment = new Environment(this, "environment", { application, environmentName: stage });
    const strategy = new DeploymentStrategy(this, "at-once", {
      deploymentStrategyName: physicalName(stage, "flags-at-once"),
      description: "Everywhere at once: a flag is flipped because something must stop now.",
      // A bake time would hold up the deployment of the stack, and the next flip, for as long.
      rolloutStrategy: RolloutStrategy.linear({
        growthFactor: 100,
        deploymentDuration: Duration.minutes(0),
        finalBakeTime: Duration.minutes(0),
      }),
    });
    const profile = new HostedConfiguration(this, "profile", {
      application,
      name: physicalName(stage, "flags"),
      type: ConfigurationType.FEATURE_FLAGS,
      content: ConfigurationContent.fromInlineJson(JSON.stringify(flagSet(station.flags))),
      deployTo: [environment],
      deploymentStrategy: strategy,
    });
    this.application = application.applicationId;
    this.environment = environment.environmentId;
    this.profile = profile.configurationProfileId;
    this.arn = Stack.of(this).formatArn({
      service: "appconfig",
      resource: "application",
      resourceName: `${this.application}/environment/${this.environment}/configuration/${this.profile}`,
    });
  }
}

/** The document of a profile of type `AWS.AppConfig.FeatureFlags`. */
function flagSet(flags: Station["flags"]) {
  return {
    version: "1",
    flags: mapRecord(flags, ({ whileOn }, name) => ({ name, description: whileOn })),
    values: mapRecord(flags, ({ on }) => ({ enabled: on })),
  };
}
