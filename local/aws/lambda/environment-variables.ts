import { LOCAL_REGION } from "../../assembly/resource-attributes.ts";

/** What runs as a Lambda function. `assetDir` is the unpacked bundle, `environment` what the template gives it. */
export interface LambdaFunction {
  name: string;
  arn: string;
  assetDir: string;
  /** File without extension and exported name, e.g. `index.handler`. */
  handler: string;
  timeoutSeconds: number;
  memoryMb: number;
  environment: Record<string, string>;
  /** At most this many environments at once; 0 refuses every invocation. */
  reservedConcurrency?: number;
}

/** Lambda's quota: 4 KB for all variables together, measured as one JSON object. */
const MAX_ENVIRONMENT_BYTES = 4096;

// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
const RESERVED = new Set([
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_DEFAULT_REGION",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_LAMBDA_RUNTIME_API",
  "AWS_REGION",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "LAMBDA_RUNTIME_DIR",
  "LAMBDA_TASK_ROOT",
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
]);

/** Refuses what CreateFunction would refuse: too many bytes, reserved names, names that are no names. */
export function checkEnvironment(fn: Pick<LambdaFunction, "name" | "environment">): void {
  const bytes = Buffer.byteLength(JSON.stringify(fn.environment));
  if (bytes > MAX_ENVIRONMENT_BYTES) {
    throw new RangeError(
      `The environment of function ${fn.name} is ${bytes} bytes; Lambda takes ${MAX_ENVIRONMENT_BYTES}. Give it fewer or shorter variables.`,
    );
  }
  const refused = Object.keys(fn.environment).filter((key) => RESERVED.has(key) || !/^[a-zA-Z]\w+$/.test(key));
  if (refused.length > 0) {
    throw new RangeError(
      `Function ${fn.name} sets variables that Lambda does not allow: ${refused.join(", ")}. Rename them.`,
    );
  }
}

/** All variables a function sees: the template's, this machine's, and those the Lambda runtime sets itself. */
export function functionEnvironment(
  fn: LambdaFunction,
  extraEnvironment: Record<string, string>,
): Record<string, string> {
  return {
    ...fn.environment,
    ...extraEnvironment,
    AWS_ACCESS_KEY_ID: "local",
    AWS_DEFAULT_REGION: LOCAL_REGION,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMb),
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: "local",
    AWS_REGION: LOCAL_REGION,
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "local",
    LAMBDA_TASK_ROOT: fn.assetDir,
    LANG: "en_US.UTF-8",
    TZ: ":UTC",
    _HANDLER: fn.handler,
    _X_AMZN_TRACE_ID: "Root=1-00000000-000000000000000000000000;Sampled=0",
  };
}
