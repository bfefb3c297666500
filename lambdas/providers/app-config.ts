import { AppConfigProvider } from "@aws-lambda-powertools/parameters/appconfig";
import type { AppConfigDataClient } from "@aws-sdk/client-appconfigdata";
import type { Provider } from "@openfeature/server-sdk";
import * as z from "zod";
import { onOffProvider } from "./flags.ts";

interface AppConfigOptions {
  application: string;
  environment: string;
  profile: string;
  client: AppConfigDataClient;
}

/** How long a flip may take to be seen. AppConfig is asked once in this time by each function that uses flags. */
export const flagMaxAgeSeconds = 60;

/** What AppConfig answers for a profile of type `AWS.AppConfig.FeatureFlags`. */
const flagValues = z.record(z.string(), z.looseObject({ enabled: z.boolean() }));

/** Flags of a feature flag profile of AWS AppConfig. */
export function appConfigFlags({ application, environment, profile, client }: AppConfigOptions): Provider {
  const source = new AppConfigProvider({ application, environment, awsSdkV3Client: client });
  return onOffProvider("app-config", async (flag) => {
    const values = flagValues.parse(await source.get(profile, { transform: "json", maxAge: flagMaxAgeSeconds }));
    return values[flag]?.enabled;
  });
}
