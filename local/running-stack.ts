import { randomUUID } from "node:crypto";
import { physicalName } from "../lambdas/core/names.ts";
import { ignoredTypes } from "./assembly/ignored-types.ts";
import { readAssembly } from "./assembly/read-assembly.ts";
import { resolveResources } from "./assembly/resolve-resources.ts";
import { localArn, localAttributes } from "./assembly/resource-attributes.ts";
import {
  appConfigApplicationKind,
  appConfigDeploymentKind,
  appConfigEnvironmentKind,
  appConfigProfileKind,
  appConfigVersionKind,
  startAppConfig,
} from "./aws/appconfig.ts";
import { startDynamoDb, tableKind } from "./aws/dynamodb.ts";
import { eventSourceMappingKind, startEventSourceMapping } from "./aws/event-source-mapping.ts";
import { startHttpApi } from "./aws/http-api.ts";
import { httpApiKind, httpIntegrationKind, httpRouteKind, httpStageKind } from "./aws/http-api-kinds.ts";
import { functionKind, lambdaFunctionOf } from "./aws/lambda/function-kind.ts";
import type { Invoke } from "./aws/lambda/invoke.ts";
import { type MappedFunction, startLambdaApi } from "./aws/lambda/lambda-api.ts";
import { createLambdaHost } from "./aws/lambda/lambda-host.ts";
import { logGroupKind } from "./aws/lambda/log-group-kind.ts";
import { createScheduler, type Delivery, type Scheduler, scheduleGroupKind, scheduleKind } from "./aws/scheduler.ts";
import { secretKind, startSecretsManager } from "./aws/secrets-manager.ts";
import { queueKind, startSqs } from "./aws/sqs.ts";
import { startStepFunctions } from "./aws/step-functions/start-step-functions.ts";
import { definitionOf, stateMachineKind } from "./aws/step-functions/state-machine-kind.ts";
import type { StackDisturbance } from "./chaos/chaos.ts";
import type { Clock } from "./clock.ts";
import { countOperations } from "./operations.ts";
import { freePort } from "./ports.ts";

const kinds = [
  appConfigApplicationKind,
  appConfigDeploymentKind,
  appConfigEnvironmentKind,
  appConfigProfileKind,
  appConfigVersionKind,
  eventSourceMappingKind,
  functionKind,
  httpApiKind,
  httpIntegrationKind,
  httpRouteKind,
  httpStageKind,
  logGroupKind,
  queueKind,
  scheduleGroupKind,
  scheduleKind,
  secretKind,
  stateMachineKind,
  tableKind,
];

export interface StackOptions {
  assemblyDir: string;
  /** Port of the HTTP API; 0 takes a free one. */
  port: number;
  clock: Clock;
  /** Set for every function on top of its own environment: where the vendors are. */
  environment: Record<string, string>;
  /** The value of the station's secret. */
  secretValue: string;
  /** Flags that are otherwise than the stack deploys them, by name. */
  flagOverrides: () => Promise<Record<string, boolean>>;
  onLog(line: string, origin: { functionName: string; requestId: string | undefined }): void;
  /** Told of what went wrong outside any request. */
  onTrouble(what: string, error: unknown): void;
  /** What makes the stack fail on purpose. */
  disturbance?: StackDisturbance;
}

/** The synthesized stack, running on this machine. */
export interface RunningStack {
  api: string;
  endpoints: { sqs: string; dynamodb: string; stepfunctions: string; secretsmanager: string; lambda: string };
  scheduler: Scheduler;
  /** Fires a schedule, by its name in the registry or in the stack, as if it were `atMs`. */
  fire(schedule: string, atMs: number): Promise<Delivery>;
  /**
   * What is still to be done, by name and amount; empty when the station is quiet. Neither dead letters are work, nor
   * what waits on a queue on hold.
   */
  pending(): Promise<Record<string, number>>;
  /**
   * When nothing happens any more unless time goes by: `dueMs` is when the next delayed or hidden message shows itself
   * or the next waiting run goes on, undefined when there is none. Answers undefined as long as anything runs or is
   * ready to.
   */
  resting(): Promise<{ dueMs: number | undefined } | undefined>;
  deadLetters(): Promise<Record<string, number>>;
  /** Messages by queue whose mapping is disabled, so that nobody takes them out. */
  held(): Promise<Record<string, number>>;
  /** Calls of AWS services so far, by service. */
  operations(): Record<string, number>;
  close(): Promise<void>;
}

/** Starts everything that the assembly describes, and nothing else. What was started is closed again when a part fails. */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const { clock, onTrouble } = options;
  const { now } = clock;
  const assembly = await readAssembly(options.assemblyDir);
  const ports = { api: options.port || (await freePort()), sqs: await freePort() };
  const resources = resolveResources({
    template: assembly.template,
    stackName: assembly.stackName,
    kinds,
    ignoredTypes,
    attributes: localAttributes({ sqs: `http://127.0.0.1:${ports.sqs}`, api: `http://127.0.0.1:${ports.api}` }),
  });

  const operations = countOperations();
  const closers: (() => Promise<void>)[] = [async () => operations.stop()];
  const opened = <T extends { close(): Promise<void> }>(service: T): T => {
    closers.push(() => service.close());
    return service;
  };
  const close = async () => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };

  try {
    const invoke: Invoke = (arn, payload) => {
      operations.count("lambda");
      return host.invoke(arn, payload);
    };
    const queues = resources.of(queueKind);
    const [sqs, dynamodb, secrets, stepFunctions, appConfig] = await Promise.all([
      startSqs({ queues, port: ports.sqs, now }).then(opened),
      startDynamoDb({ tables: resources.of(tableKind) }).then(opened),
      startSecretsManager({
        secrets: resources.of(secretKind).map(({ name }) => ({
          name,
          arn: localArn("secretsmanager", `secret:${name}`),
          value: options.secretValue,
        })),
        now,
      }).then(opened),
      startStepFunctions({
        machines: resources.of(stateMachineKind).map(({ name, properties }) => ({
          name,
          arn: localArn("states", `stateMachine:${name}`),
          type: properties.StateMachineType,
          definition: definitionOf(properties),
        })),
        invoke,
        now,
      }).then(opened),
      startAppConfig({
        versions: resources.of(appConfigVersionKind),
        deployments: resources.of(appConfigDeploymentKind),
        overrides: options.flagOverrides,
      }).then(opened),
    ]);
    operations.watch({
      sqs: sqs.url,
      dynamodb: dynamodb.url,
      secrets: secrets.url,
      stepfunctions: stepFunctions.url,
      appconfig: appConfig.url,
    });
    const functions = resources.of(functionKind).map((resource) => lambdaFunctionOf(resource, assembly.assetDirectory));
    const mappings: MappedFunction[] = [];
    const lambdaApi = opened(
      await startLambdaApi({
        functionArns: functions.map(({ arn }) => arn),
        mappings: () => mappings,
        now,
        onTrouble,
      }),
    );
    const host = opened(
      createLambdaHost({
        functions,
        clockBuffer: clock.buffer,
        extraEnvironment: {
          ...options.environment,
          AWS_ENDPOINT_URL_SQS: sqs.url,
          AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
          AWS_ENDPOINT_URL_LAMBDA: lambdaApi.url,
          AWS_ENDPOINT_URL_SFN: stepFunctions.url,
          AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
          AWS_ENDPOINT_URL_APPCONFIGDATA: appConfig.url,
        },
        onLog: options.onLog,
        ...options.disturbance?.lambda,
      }),
    );
    const [api] = resources.of(httpApiKind);
    const [stage] = resources.of(httpStageKind);
    if (!api) throw new Error("The stack has no HTTP API: add one in infra/ or look at another assembly.");
    const httpApi = opened(
      await startHttpApi({
        api,
        routes: resources.of(httpRouteKind),
        integrations: resources.of(httpIntegrationKind),
        ...(stage ? { stage } : {}),
        invoke,
        port: ports.api,
        now,
      }),
    );
    const started = await Promise.all(
      resources.of(eventSourceMappingKind).map(async ({ properties }) => {
        const target = functions.find(({ name, arn }) => [name, arn].includes(properties.FunctionName));
        if (!target)
          throw new Error(
            `An event source mapping names the function ${properties.FunctionName}, which is not in the stack.`,
          );
        const mapping = await startEventSourceMapping({
          mapping: properties,
          functionArn: target.arn,
          functionTimeoutSeconds: target.timeoutSeconds,
          sqs,
          invoke,
          now,
          onError: (error) => onTrouble(`polling for ${target.name}`, error),
          ...(options.disturbance ? { repetitionOf: options.disturbance.repetitionOf } : {}),
        });
        return { uuid: randomUUID(), functionArn: target.arn, properties, mapping };
      }),
    );
    mappings.push(...started);
    closers.push(async () => {
      await Promise.all(mappings.map(({ mapping }) => mapping.stop()));
    });
    const scheduler = createScheduler({
      schedules: resources
        .of(scheduleKind)
        .map(({ name, properties }) => ({ name, arn: localArn("scheduler", `schedule/default/${name}`), properties })),
      now,
      deliver: async (targetArn, input) => {
        const [, , service, , , resource = ""] = targetArn.split(":");
        if (service === "sqs") await sqs.call("SendMessage", { QueueUrl: sqs.queueUrl(resource), MessageBody: input });
        else await stepFunctions.startExecution(targetArn, input);
      },
      onUndelivered: (schedule, error) => onTrouble(`schedule ${schedule.name}`, error),
    });
    scheduler.start();
    closers.push(async () => scheduler.stop());

    const deadLetterNames = new Set(
      queues.flatMap(({ properties }) => properties.RedrivePolicy?.deadLetterTargetArn.split(":").at(-1) ?? []),
    );
    /** Queues that are neither for dead letters nor on hold. */
    const workingQueues = () => {
      const held = heldQueues();
      return queues.map(({ name }) => name).filter((name) => !deadLetterNames.has(name) && !held.includes(name));
    };
    const heldQueues = () =>
      mappings
        .filter(({ mapping }) => mapping.state() === "Disabled")
        .flatMap(({ properties }) => properties.EventSourceArn.split(":").at(-1) ?? []);
    const scheduleNames = resources.of(scheduleKind).map(({ name }) => name);
    return {
      api: httpApi.url,
      endpoints: {
        sqs: sqs.url,
        dynamodb: dynamodb.url,
        stepfunctions: stepFunctions.url,
        secretsmanager: secrets.url,
        lambda: lambdaApi.url,
      },
      scheduler,
      async fire(schedule, atMs) {
        const found = scheduleNames.find((name) => name === schedule || name.endsWith(physicalName("", schedule)));
        if (!found) throw new Error(`There is no schedule ${schedule}; there are ${scheduleNames.join(", ")}.`);
        return scheduler.fire(found, atMs);
      },
      operations: operations.counted,
      async pending() {
        const waiting = stepFunctions.waitsUntilMs().length;
        const counts: [string, number][] = [
          ["running workflows", stepFunctions.executionsRunning() - waiting],
          ["waiting workflows", waiting],
          ["running functions", host.inFlight()],
        ];
        for (const name of workingQueues()) {
          const { visible, inFlight, delayed } = await sqs.inspect(name);
          counts.push([`messages on ${name}`, visible + inFlight + delayed]);
        }
        return Object.fromEntries(counts.filter(([, amount]) => amount > 0));
      },
      async resting() {
        const waits = stepFunctions.waitsUntilMs();
        if (stepFunctions.executionsRunning() - waits.length + host.inFlight() > 0) return undefined;
        if (!mappings.every(({ mapping }) => mapping.isIdle())) return undefined;
        const dues: number[] = [...waits];
        for (const name of workingQueues()) {
          const { visible, inFlight } = await sqs.inspect(name);
          // A hidden message of a FIFO queue locks its group: what is behind it counts as visible and yet cannot move.
          if (visible > 0 && !(name.endsWith(".fifo") && inFlight > 0)) return undefined;
          dues.push((await sqs.nextDueMs(name)) ?? Number.POSITIVE_INFINITY);
        }
        const dueMs = Math.min(...dues);
        return { dueMs: Number.isFinite(dueMs) ? dueMs : undefined };
      },
      async deadLetters() {
        const counts = await Promise.all(
          [...deadLetterNames].map(async (name) => {
            const { visible, inFlight } = await sqs.inspect(name);
            // Somebody who looks at a dead letter hides it for a while.
            return [name, visible + inFlight] as const;
          }),
        );
        return Object.fromEntries(counts.filter(([, amount]) => amount > 0));
      },
      async held() {
        const counts = await Promise.all(
          heldQueues().map(async (name) => {
            const { visible, inFlight, delayed } = await sqs.inspect(name);
            return [name, visible + inFlight + delayed] as const;
          }),
        );
        return Object.fromEntries(counts);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
