import { randomUUID } from "node:crypto";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { z } from "zod";
import type { Resource } from "../assembly/resolve-resources.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";

const named = z.strictObject({ Name: z.string() });
const ofApplication = named.extend({ ApplicationId: z.string() });

export const appConfigApplicationKind = {
  type: "AWS::AppConfig::Application",
  properties: named,
  ignoredProperties: { Description: "for people", Tags: "nothing here reads them" },
} satisfies ResourceKind<z.infer<typeof named>>;

export const appConfigEnvironmentKind = {
  type: "AWS::AppConfig::Environment",
  properties: ofApplication,
  ignoredProperties: {
    DeletionProtectionCheck: "the environment lives as long as the station",
    Description: "for people",
    Tags: "nothing here reads them",
  },
} satisfies ResourceKind<z.infer<typeof ofApplication>>;

const profileProperties = ofApplication.extend({
  LocationUri: z.literal("hosted"),
  Type: z.literal("AWS.AppConfig.FeatureFlags"),
});

export const appConfigProfileKind = {
  type: "AWS::AppConfig::ConfigurationProfile",
  properties: profileProperties,
  ignoredProperties: {
    DeletionProtectionCheck: "the profile lives as long as the station",
    Description: "for people",
    Tags: "nothing here reads them",
  },
} satisfies ResourceKind<z.infer<typeof profileProperties>>;

/** A feature flag document, as far as flags have no attributes. */
const flagSet = z.object({ values: z.record(z.string(), z.strictObject({ enabled: z.boolean() })) });

const versionProperties = z.strictObject({
  ApplicationId: z.string(),
  ConfigurationProfileId: z.string(),
  Content: z.string().transform((text) => flagSet.parse(JSON.parse(text)).values),
  ContentType: z.literal("application/json"),
});

export type AppConfigVersionProperties = z.infer<typeof versionProperties>;

export const appConfigVersionKind = {
  type: "AWS::AppConfig::HostedConfigurationVersion",
  properties: versionProperties,
  ignoredProperties: { Description: "for people", VersionLabel: "for people" },
} satisfies ResourceKind<AppConfigVersionProperties>;

const deploymentProperties = z.strictObject({
  ApplicationId: z.string(),
  EnvironmentId: z.string(),
  ConfigurationProfileId: z.string(),
  ConfigurationVersion: z.string(),
});

export type AppConfigDeploymentProperties = z.infer<typeof deploymentProperties>;

export const appConfigDeploymentKind = {
  type: "AWS::AppConfig::Deployment",
  properties: deploymentProperties,
  ignoredProperties: {
    DeploymentStrategyId: "whatever is deployed is there at once",
    Description: "for people",
    Tags: "nothing here reads them",
  },
} satisfies ResourceKind<AppConfigDeploymentProperties>;

interface AppConfigOptions {
  versions: Resource<AppConfigVersionProperties>[];
  deployments: Resource<AppConfigDeploymentProperties>[];
  /** Flags that are set otherwise than deployed, by name; asked for whenever a function polls. */
  overrides: () => Promise<Record<string, boolean>>;
}

export interface AppConfig {
  url: string;
  close: () => Promise<void>;
}

const sessionInput = z.object({
  ApplicationIdentifier: z.string(),
  EnvironmentIdentifier: z.string(),
  ConfigurationProfileIdentifier: z.string(),
});

interface Session {
  flags: Record<string, { enabled: boolean }>;
  /** What this session was told last; the same again is an empty answer. */
  told: string | undefined;
}

/**
 * AppConfig's data API on 127.0.0.1: `StartConfigurationSession` and `GetLatestConfiguration` of what the stack
 * deploys. A token is good for one poll, and each poll answers the next.
 */
export async function startAppConfig({ versions, deployments, overrides }: AppConfigOptions): Promise<AppConfig> {
  const sessions = new Map<string, Session>();
  const open = (session: Session): string => {
    const token = randomUUID();
    sessions.set(token, session);
    return token;
  };

  const app = new Hono()
    .post("/configurationsessions", async (c) => {
      const input = sessionInput.safeParse(await c.req.json().catch(() => undefined));
      if (!input.success) return failed("BadRequestException", 400, z.prettifyError(input.error));
      const deployed = deployments.find(
        ({ properties }) =>
          properties.ApplicationId === input.data.ApplicationIdentifier &&
          properties.EnvironmentId === input.data.EnvironmentIdentifier &&
          properties.ConfigurationProfileId === input.data.ConfigurationProfileIdentifier,
      );
      const version = versions.find(({ name }) => name === deployed?.properties.ConfigurationVersion);
      if (!version) return failed("ResourceNotFoundException", 404, "Nothing is deployed there.");
      return c.json({ InitialConfigurationToken: open({ flags: version.properties.Content, told: undefined }) }, 201);
    })
    .get("/configuration", async (c) => {
      const token = c.req.query("configuration_token") ?? "";
      const session = sessions.get(token);
      if (!session) return failed("BadRequestException", 400, "The token is not valid, or was used before.");
      const changed = Object.entries(await overrides()).map(([name, enabled]) => [name, { enabled }]);
      const text = JSON.stringify({ ...session.flags, ...Object.fromEntries(changed) });
      sessions.delete(token);
      return new Response(text === session.told ? null : text, {
        headers: {
          "content-type": "application/json",
          "next-poll-configuration-token": open({ ...session, told: text }),
          "next-poll-interval-in-seconds": "60",
        },
      });
    })
    .onError((error) => failed("InternalServerException", 500, error.message));

  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the server has no TCP port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}

function failed(code: string, status: number, message: string): Response {
  return Response.json({ Message: message }, { status, headers: { "x-amzn-errortype": code } });
}
