import { join } from "node:path";
import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, RecursiveLoop, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { deadLetterUrlVariable, physicalName, queueUrlVariable, workflowArnVariable } from "../lambdas/core/names.ts";
import type { Station } from "../lambdas/core/station.ts";
import type { FlagStore } from "./flag-store.ts";

/** What all functions of the stack share. */
export interface StationContext {
  station: Station;
  stage: string;
  /** Folder with one bundle per function name. */
  bundleDir: string;
  table: ITable;
  secret: ISecret;
  flags: FlagStore;
}

export interface StationFunctionProps {
  context: StationContext;
  timeoutSeconds: number;
  memoryMb: number;
}

/**
 * A bundled function with its log group. Each `...` method grants a permission and sets the variable that goes with
 * it in one act, so that the two cannot drift apart.
 */
export class StationFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly #context: StationContext;

  constructor(scope: Construct, id: string, name: string, { context, timeoutSeconds, memoryMb }: StationFunctionProps) {
    super(scope, id);
    const { station, stage } = context;
    this.#context = context;
    const functionName = physicalName(stage, name);
    const logs = new LogGroup(this, "logs", {
      logGroupName: `/flux-station/${stage}/${name}`,
      retention: station.config.logs?.retentionDays ?? 30,
    });
    // CDK's default role may write to every log group of the account.
    const role = new Role(this, "role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logs.grantWrite(role);
    this.lambda = new LambdaFunction(this, "function", {
      functionName,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: Code.fromAsset(join(context.bundleDir, name)),
      timeout: Duration.seconds(timeoutSeconds),
      memorySize: memoryMb,
      // A deferred message is the same envelope sent again by its own worker. Lambda would take that for a runaway
      // loop after 16 hops; the envelope's age is our own guard.
      recursiveLoop: RecursiveLoop.ALLOW,
      role,
      logGroup: logs,
      environment: {
        NODE_OPTIONS: "--enable-source-maps",
        POWERTOOLS_SERVICE_NAME: name,
        POWERTOOLS_LOG_LEVEL: station.config.logs?.level ?? "INFO",
        STATION_STAGE: stage,
      },
    });
  }

  /** Reads and writes single items of the state table; scanning it is the operator's business. */
  usesTable(): this {
    const { table } = this.#context;
    table.grant(this.lambda, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem");
    this.lambda.addEnvironment("STATE_TABLE", table.tableName);
    return this;
  }

  readsSecret(): this {
    const { secret } = this.#context;
    secret.grantRead(this.lambda);
    this.lambda.addEnvironment("SECRET_ID", secret.secretArn);
    return this;
  }

  readsFlags(): this {
    const { flags } = this.#context;
    this.lambda.addToRolePolicy(
      new PolicyStatement({
        actions: ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"],
        resources: [flags.arn],
      }),
    );
    this.lambda.addEnvironment("FLAGS_APPLICATION", flags.application);
    this.lambda.addEnvironment("FLAGS_ENVIRONMENT", flags.environment);
    this.lambda.addEnvironment("FLAGS_PROFILE", flags.profile);
    return this;
  }

  sendsTo(name: string, queue: IQueue): this {
    queue.grantSendMessages(this.lambda);
    this.lambda.addEnvironment(queueUrlVariable(name), queue.queueUrl);
    return this;
  }

  deadLettersTo(name: string, queue: IQueue): this {
    queue.grantSendMessages(this.lambda);
    this.lambda.addEnvironment(deadLetterUrlVariable(name), queue.queueUrl);
    return this;
  }

  /** Reads how many messages wait; `GetQueueAttributes` shows no message. */
  inspects(name: string, queue: IQueue, deadLetterQueue: IQueue): this {
    for (const inspected of [queue, deadLetterQueue]) {
      this.lambda.addToRolePolicy(
        new PolicyStatement({ actions: ["sqs:GetQueueAttributes"], resources: [inspected.queueArn] }),
      );
    }
    this.lambda.addEnvironment(queueUrlVariable(name), queue.queueUrl);
    return this;
  }

  starts(name: string, machine: StateMachine): this {
    machine.grantStartExecution(this.lambda);
    this.lambda.addEnvironment(workflowArnVariable(name), machine.stateMachineArn);
    return this;
  }

  /** Disables and enables what feeds these workers, and nobody else's. */
  feeds(workers: StationFunction[]): this {
    this.lambda.addToRolePolicy(
      // AWS knows no narrower permission to list.
      new PolicyStatement({ actions: ["lambda:ListEventSourceMappings"], resources: ["*"] }),
    );
    this.lambda.addToRolePolicy(
      new PolicyStatement({
        actions: ["lambda:UpdateEventSourceMapping"],
        resources: [
          Stack.of(this).formatArn({
            service: "lambda",
            resource: "event-source-mapping",
            resourceName: "*",
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ],
        conditions: { ArnEquals: { "lambda:FunctionArn": workers.map(({ lambda }) => lambda.functionArn) } },
      }),
    );
    return this;
  }

  /** Looks at a machine's runs, stops them and starts new ones. */
  recovers(name: string, machine: StateMachine): this {
    machine.grant(this.lambda, "states:ListExecutions");
    machine.grantExecution(
      this.lambda,
      "states:DescribeExecution",
      "states:GetExecutionHistory",
      "states:StopExecution",
    );
    return this.starts(name, machine);
  }

  runs(name: string, machine: StateMachine): this {
    machine.grantStartSyncExecution(this.lambda);
    this.lambda.addEnvironment(workflowArnVariable(name), machine.stateMachineArn);
    return this;
  }
}
