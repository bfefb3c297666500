import { z } from "zod";
import { cfnInteger, cfnString } from "../../assembly/cfn-values.ts";
import type { Resource } from "../../assembly/resolve-resources.ts";
import { localArn } from "../../assembly/resource-attributes.ts";
import type { ResourceKind } from "../../assembly/resource-kind.ts";
import type { LambdaFunction } from "./environment-variables.ts";

const functionProperties = z.strictObject({
  FunctionName: z.string().optional(),
  Code: z.strictObject({ S3Bucket: z.string(), S3Key: z.string() }),
  Handler: z.string().regex(/^[\w/-]+\.\w+$/, "must be a file and an exported name, like index.handler"),
  Runtime: z.literal("nodejs24.x"),
  PackageType: z.literal("Zip").optional(),
  /** Megabytes. */
  MemorySize: cfnInteger.pipe(z.int().min(128).max(10_240)).default(128),
  /** Seconds. */
  Timeout: cfnInteger.pipe(z.int().min(1).max(900)).default(3),
  Environment: z.strictObject({ Variables: z.record(z.string(), cfnString).default({}) }).default({ Variables: {} }),
  ReservedConcurrentExecutions: cfnInteger.pipe(z.int().min(0)).optional(),
});

export type FunctionProperties = z.infer<typeof functionProperties>;

export const functionKind = {
  type: "AWS::Lambda::Function",
  properties: functionProperties,
  ignoredProperties: {
    Architectures: "the bundles are JavaScript, so the machine's own architecture serves",
    Description: "a text for people",
    EphemeralStorage: "functions may not rely on /tmp, which is not kept apart here",
    LoggingConfig: "log lines go to the station's own log, whatever their format and group",
    RecursiveLoop: "loops are not detected here; the station's own cap on age is the guard",
    Role: "no permissions are checked here; the infra tests check what is granted",
    Tags: "labels for people and bills",
    TracingConfig: "there is no X-Ray here",
  },
} satisfies ResourceKind<FunctionProperties>;

/** What the Lambda host needs to run a function of the stack, its bundle found by the assembly's assetDirectory. */
export function lambdaFunctionOf(
  { name, properties }: Resource<FunctionProperties>,
  assetDirectory: (s3Key: string) => string,
): LambdaFunction {
  const { Code, Handler, Timeout, MemorySize, Environment, ReservedConcurrentExecutions } = properties;
  return {
    name,
    arn: localArn("lambda", `function:${name}`),
    assetDir: assetDirectory(Code.S3Key),
    handler: Handler,
    timeoutSeconds: Timeout,
    memoryMb: MemorySize,
    environment: Environment.Variables,
    ...(ReservedConcurrentExecutions !== undefined && { reservedConcurrency: ReservedConcurrentExecutions }),
  };
}
