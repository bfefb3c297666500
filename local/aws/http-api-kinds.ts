import { z } from "zod";
import { cfnBoolean, cfnInteger, cfnNumber } from "../assembly/cfn-values.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";

const corsConfiguration = z
  .strictObject({
    AllowCredentials: cfnBoolean.default(false),
    AllowHeaders: z.array(z.string()).default([]),
    AllowMethods: z.array(z.string()).default([]),
    AllowOrigins: z.array(z.string()).default([]),
    ExposeHeaders: z.array(z.string()).default([]),
    /** Seconds. */
    MaxAge: cfnInteger.optional(),
  })
  .refine((cors) => !(cors.AllowCredentials && cors.AllowOrigins.includes("*")), {
    error: "AllowCredentials needs named origins, not *",
  });

const apiProperties = z.strictObject({
  Name: z.string(),
  ProtocolType: z.literal("HTTP"),
  CorsConfiguration: corsConfiguration.optional(),
});

const routeProperties = z.strictObject({
  ApiId: z.string(),
  /** `METHOD /path`, `ANY /path` or `$default`. */
  RouteKey: z.string().regex(/^(\$default|(ANY|[A-Z]+) \/\S*)$/, "must be METHOD /path or $default"),
  Target: z.string().startsWith("integrations/"),
  AuthorizationType: z.literal("NONE").optional(),
});

const integrationProperties = z.strictObject({
  ApiId: z.string(),
  IntegrationType: z.literal("AWS_PROXY"),
  /** The function's ARN. */
  IntegrationUri: z.string().startsWith("arn:aws:lambda:"),
  IntegrationMethod: z.literal("POST").optional(),
  PayloadFormatVersion: z.literal("2.0"),
  TimeoutInMillis: cfnInteger.pipe(z.int().min(50).max(30_000)).default(30_000),
});

const stageProperties = z.strictObject({
  ApiId: z.string(),
  StageName: z.literal("$default"),
  AutoDeploy: z.union([z.literal(true), z.literal("true")]),
  DefaultRouteSettings: z
    .strictObject({
      /** Requests at once, and per second; both or none. */
      ThrottlingBurstLimit: cfnInteger.optional(),
      ThrottlingRateLimit: cfnNumber.optional(),
      /** Accepted without effect: there are no CloudWatch metrics here. */
      DetailedMetricsEnabled: cfnBoolean.optional(),
    })
    .optional(),
});

export type HttpApiProperties = z.infer<typeof apiProperties>;
export type HttpRouteProperties = z.infer<typeof routeProperties>;
export type HttpIntegrationProperties = z.infer<typeof integrationProperties>;
export type HttpStageProperties = z.infer<typeof stageProperties>;
export type CorsConfiguration = z.infer<typeof corsConfiguration>;

export const httpApiKind = {
  type: "AWS::ApiGatewayV2::Api",
  properties: apiProperties,
  ignoredProperties: {
    Description: "a text for people",
    DisableExecuteApiEndpoint: "there is one address here whatever the domain names",
    Tags: "labels for people and bills",
  },
} satisfies ResourceKind<HttpApiProperties>;

export const httpRouteKind = {
  type: "AWS::ApiGatewayV2::Route",
  properties: routeProperties,
  ignoredProperties: { OperationName: "a name for generated clients" },
} satisfies ResourceKind<HttpRouteProperties>;

export const httpIntegrationKind = {
  type: "AWS::ApiGatewayV2::Integration",
  properties: integrationProperties,
  ignoredProperties: { Description: "a text for people" },
} satisfies ResourceKind<HttpIntegrationProperties>;

export const httpStageKind = {
  type: "AWS::ApiGatewayV2::Stage",
  properties: stageProperties,
  ignoredProperties: {
    AccessLogSettings: "requests are in the station's own log",
    Description: "a text for people",
    Tags: "labels for people and bills",
  },
} satisfies ResourceKind<HttpStageProperties>;
