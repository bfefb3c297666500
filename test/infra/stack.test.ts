import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { envelopeOf } from "../../lambdas/core/messages.ts";
import { entriesOf } from "../../lambdas/core/record.ts";
import { flags } from "../../registry/flags.ts";
import { type QueueRecord, queues, usualWatermarks } from "../../registry/queues.ts";
import { routes, zones } from "../../registry/routes.ts";
import { signals } from "../../registry/signals.ts";
import { workflows } from "../../registry/workflows.ts";
import {
  adoptersConfig,
  alarmShape,
  computedAlarmShape,
  functionShape,
  type SynthesizedStack,
  synthesizeStack,
} from "./synthesized.ts";

const fourteenDaysSeconds = 14 * 24 * 60 * 60;
const topicArn = "arn:aws:sns:us-east-1:000000000000:test-flux-alarms";

let stack: SynthesizedStack;
beforeAll(async () => {
  stack = await synthesizeStack(adoptersConfig);
});
afterAll(async () => {
  await stack.remove();
});

const only = <T>(items: T[]): T => {
  expect(items).toHaveLength(1);
  const [item] = items;
  if (item === undefined) throw new Error("unreachable");
  return item;
};
const functionNamed = (name: string) =>
  only(stack.of("AWS::Lambda::Function", functionShape).filter(({ FunctionName }) => FunctionName === name));
/** An alarm on an expression: its metrics by the names that the expression gives them. */
const computedAlarmNamed = (name: string) => {
  const { AlarmName, Metrics, ...alarm } = only(
    stack.of("AWS::CloudWatch::Alarm", computedAlarmShape).filter((each) => each.AlarmName === name),
  );
  const dimensions = (pairs: { Name: string; Value: string }[]) =>
    Object.fromEntries(pairs.map(({ Name, Value }) => [Name, Value]));
  return {
    ...alarm,
    expression: Metrics.find(({ Expression }) => Expression)?.Expression,
    metrics: Object.fromEntries(
      Metrics.flatMap(({ Id, MetricStat }) =>
        MetricStat ? [[Id, { ...MetricStat.Metric, Dimensions: dimensions(MetricStat.Metric.Dimensions) }]] : [],
      ),
    ),
  };
};
const alarmNamed = (name: string) =>
  only(stack.of("AWS::CloudWatch::Alarm", alarmShape).filter(({ AlarmName }) => AlarmName === name));

it("is what the registry says, and nothing more", () => {
  const route = z.object({ RouteKey: z.string(), Target: z.string() });
  const integration = z.object({ IntegrationUri: z.string() });
  const schedule = z.object({
    Name: z.string(),
    ScheduleExpression: z.string(),
    ScheduleExpressionTimezone: z.string(),
    State: z.string(),
  });
  const machine = z.object({ StateMachineName: z.string(), StateMachineType: z.string().default("STANDARD") });
  const mapping = z.object({ EventSourceArn: z.string(), FunctionName: z.string() });
  expect({
    routes: stack.of("AWS::ApiGatewayV2::Route", route).map(({ RouteKey }) => RouteKey),
    calls: [...new Set(stack.of("AWS::ApiGatewayV2::Integration", integration).map((one) => last(one.IntegrationUri)))],
    queues: stack
      .of("AWS::Lambda::EventSourceMapping", mapping)
      .map((one) => [last(one.EventSourceArn), one.FunctionName].join(" > ")),
    workflows: stack
      .of("AWS::StepFunctions::StateMachine", machine)
      .map((one) => `${one.StateMachineName} ${one.StateMachineType}`),
    schedules: stack
      .of("AWS::Scheduler::Schedule", schedule)
      .map((one) => [one.Name, one.ScheduleExpression, one.ScheduleExpressionTimezone, one.State].join(" ")),
    resources: stack.countByType(),
  }).toMatchInlineSnapshot(`
    {
      "calls": [
        "test-flux-webhooks-routes",
        "test-flux-public-routes",
        "test-flux-internal-routes",
        "test-flux-user-routes",
      ],
      "queues": [
        "test-flux-subscription > test-flux-subscription-worker",
        "test-flux-email > test-flux-email-worker",
        "test-flux-webhook-events > test-flux-webhook-events-worker",
        "test-flux-outbox-sweep > test-flux-outbox-sweep-worker",
        "test-flux-recovery-sweep > test-flux-recovery-sweep-worker",
        "test-flux-revalidation > test-flux-revalidation-worker",
        "test-flux-pulse > test-flux-pulse-worker",
        "test-flux-segment-sync.fifo > test-flux-segment-sync-worker",
        "test-flux-segment-recovery > test-flux-segment-recovery-worker",
        "test-flux-changelog-process > test-flux-changelog-process-worker",
        "test-flux-changelog-notify > test-flux-changelog-notify-worker",
        "test-flux-discord-jobs.fifo > test-flux-discord-jobs-worker",
        "test-flux-discord-submissions > test-flux-discord-submissions-worker",
        "test-flux-embedding-generation > test-flux-embedding-generation-worker",
        "test-flux-image-generation > test-flux-image-generation-worker",
        "test-flux-package-generation > test-flux-package-generation-worker",
      ],
      "resources": {
        "AWS::ApiGatewayV2::Api": 1,
        "AWS::ApiGatewayV2::Integration": 26,
        "AWS::ApiGatewayV2::Route": 29,
        "AWS::ApiGatewayV2::Stage": 1,
        "AWS::AppConfig::Application": 1,
        "AWS::AppConfig::ConfigurationProfile": 1,
        "AWS::AppConfig::Deployment": 1,
        "AWS::AppConfig::DeploymentStrategy": 1,
        "AWS::AppConfig::Environment": 1,
        "AWS::AppConfig::HostedConfigurationVersion": 1,
        "AWS::CloudWatch::Alarm": 72,
        "AWS::DynamoDB::Table": 1,
        "AWS::IAM::Policy": 30,
        "AWS::IAM::Role": 30,
        "AWS::Lambda::EventSourceMapping": 16,
        "AWS::Lambda::Function": 23,
        "AWS::Lambda::Permission": 29,
        "AWS::Logs::LogGroup": 27,
        "AWS::SNS::Subscription": 1,
        "AWS::SNS::Topic": 1,
        "AWS::SNS::TopicPolicy": 1,
        "AWS::SQS::Queue": 32,
        "AWS::SQS::QueuePolicy": 32,
        "AWS::Scheduler::Schedule": 5,
        "AWS::Scheduler::ScheduleGroup": 1,
        "AWS::SecretsManager::Secret": 1,
        "AWS::StepFunctions::StateMachine": 3,
      },
      "routes": [
        "$default",
        "POST /email/subscribe",
        "GET /email/unsubscribe",
        "POST /email/unsubscribe",
        "GET /email/count",
        "POST /email/count",
        "GET /health",
        "POST /email/digest",
        "POST /email/sequence",
        "POST /email/welcome",
        "POST /email/transactional",
        "POST /email/contact",
        "POST /email/job-lifecycle",
        "POST /embedding/webhook",
        "POST /changelog-webhook",
        "GET /active-notifications",
        "HEAD /active-notifications",
        "POST /dismiss",
        "POST /notifications/create",
        "POST /process-queues",
        "POST /pulse",
        "POST /revalidation",
        "POST /changelog/process",
        "POST /changelog/notify",
        "POST /discord/jobs",
        "POST /discord/submissions",
        "POST /discord/direct",
        "POST /embedding/process",
        "POST /image-generation/process",
      ],
      "schedules": [
        "test-flux-weekly-digest cron(30 7 ? * TUE *) Europe/Berlin ENABLED",
        "test-flux-digest-rehearsal cron(0 6 * * ? *) Europe/Berlin DISABLED",
        "test-flux-onboarding-sequence cron(0 0/6 * * ? *) Europe/Berlin ENABLED",
        "test-flux-outbox-sweep rate(1 minute) Europe/Berlin ENABLED",
        "test-flux-recovery-sweep rate(1 minute) Europe/Berlin ENABLED",
      ],
      "workflows": [
        "test-flux-digest STANDARD",
        "test-flux-sequence STANDARD",
        "test-flux-segment-sync EXPRESS",
      ],
    }
  `);
});

describe.each(entriesOf(queues))("the queue %s", (name, record) => {
  const suffix = record.fifo ? ".fifo" : "";
  const queueName = `test-flux-${name}${suffix}`;
  const deadLetterName = `test-flux-${name}-dlq${suffix}`;
  const shape = z.object({
    QueueName: z.string(),
    FifoQueue: z.boolean().default(false),
    MessageRetentionPeriod: z.int(),
    SqsManagedSseEnabled: z.boolean(),
    VisibilityTimeout: z.int().optional(),
    RedrivePolicy: z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.int() }).optional(),
  });
  const queueNamed = (wanted: string) =>
    only(stack.of("AWS::SQS::Queue", shape).filter(({ QueueName }) => QueueName === wanted));

  it("keeps messages encrypted for 14 days, and the dead ones as long", () => {
    for (const each of [queueName, deadLetterName]) {
      expect(queueNamed(each)).toMatchObject({
        MessageRetentionPeriod: fourteenDaysSeconds,
        SqsManagedSseEnabled: true,
        FifoQueue: record.fifo,
      });
    }
  });

  it("dead-letters after as many attempts as its record says", () => {
    expect(queueNamed(queueName).RedrivePolicy).toEqual({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${deadLetterName}`,
      maxReceiveCount: record.maxReceiveCount,
    });
    expect(queueNamed(deadLetterName).RedrivePolicy).toBeUndefined();
  });

  it("refuses callers without TLS", () => {
    const policies = stack.of(
      "AWS::SQS::QueuePolicy",
      z.object({ Queues: z.array(z.string()), PolicyDocument: z.unknown() }),
    );
    for (const each of [queueName, deadLetterName]) {
      const { PolicyDocument } = only(policies.filter(({ Queues }) => Queues.some((url) => last(url) === each)));
      expect(PolicyDocument).toMatchObject({
        Statement: [{ Effect: "Deny", Action: "sqs:*", Condition: { Bool: { "aws:SecureTransport": "false" } } }],
      });
    }
  });

  it("hides a message six times as long as its worker may take", () => {
    expect(functionNamed(`test-flux-${name}-worker`)).toMatchObject({
      Timeout: record.workerTimeoutSeconds,
      MemorySize: record.workerMemoryMb,
    });
    expect(queueNamed(queueName).VisibilityTimeout).toBe(6 * record.workerTimeoutSeconds);
  });

  it("hands its worker batches, which answers for each message, in limited numbers", () => {
    const mapping = only(
      stack
        .of(
          "AWS::Lambda::EventSourceMapping",
          z.object({
            EventSourceArn: z.string(),
            FunctionName: z.string(),
            BatchSize: z.int(),
            MaximumBatchingWindowInSeconds: z.int().optional(),
            FunctionResponseTypes: z.array(z.string()),
            ScalingConfig: z.object({ MaximumConcurrency: z.int() }),
          }),
        )
        .filter(({ EventSourceArn }) => last(EventSourceArn) === queueName),
    );
    expect(mapping).toEqual({
      EventSourceArn: `arn:aws:sqs:us-east-1:000000000000:${queueName}`,
      FunctionName: `test-flux-${name}-worker`,
      BatchSize: record.batchSize,
      ...("batchWindowSeconds" in record ? { MaximumBatchingWindowInSeconds: record.batchWindowSeconds } : {}),
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: record.maximumConcurrency },
    });
  });

  it("raises an alarm at its first dead letter and says who is harmed", () => {
    expect(alarmNamed(`test-flux-dead-letters-${name}`)).toEqual({
      AlarmName: `test-flux-dead-letters-${name}`,
      AlarmDescription: record.errorImpact,
      AlarmActions: [topicArn],
      Namespace: "AWS/SQS",
      MetricName: "ApproximateNumberOfMessagesVisible",
      Dimensions: [{ Name: "QueueName", Value: deadLetterName }],
      Threshold: 1,
    });
  });

  it("raises an alarm when its messages wait for too long or are too many, but not while it is on hold", () => {
    const { ageMinutes, messages } = ("watermarks" in record ? record.watermarks : undefined) ?? usualWatermarks;
    const watched = (metric: string) => ({
      held: {
        Namespace: "FluxStation",
        MetricName: "queue-on-hold",
        Dimensions: { queue: name, service: "flux-station", stage: "test" },
      },
      watched: { Namespace: "AWS/SQS", MetricName: metric, Dimensions: { QueueName: queueName } },
    });
    const common = {
      AlarmDescription: record.errorImpact,
      AlarmActions: [topicArn],
      EvaluationPeriods: 3,
      expression: "IF(FILL(held, 0) > 0, 0, watched)",
    };
    expect(computedAlarmNamed(`test-flux-backlog-age-${name}`)).toEqual({
      ...common,
      Threshold: ageMinutes * 60,
      metrics: watched("ApproximateAgeOfOldestMessage"),
    });
    expect(computedAlarmNamed(`test-flux-backlog-length-${name}`)).toEqual({
      ...common,
      Threshold: messages,
      metrics: watched("ApproximateNumberOfMessagesVisible"),
    });
  });

  it("rings for age only after a message that keeps failing would be dead", () => {
    const { ageMinutes }: { ageMinutes: number } =
      ("watermarks" in record ? record.watermarks : undefined) ?? usualWatermarks;
    const { maxReceiveCount, backoffBaseSeconds }: QueueRecord = record;
    const pauses = Array.from({ length: maxReceiveCount - 1 }, (_, attempt) =>
      Math.min(900, backoffBaseSeconds * 2 ** attempt),
    );
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeLessThan(ageMinutes * 60);
  });
});

describe("functions", () => {
  const all = () => stack.of("AWS::Lambda::Function", functionShape);

  it("run on Node 24 and arm64, with traces that name our own source lines", () => {
    for (const each of all()) {
      expect(each, each.FunctionName).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        Handler: "index.handler",
      });
      expect(each.Environment.Variables).toMatchObject({
        NODE_OPTIONS: "--enable-source-maps",
        POWERTOOLS_LOG_LEVEL: "WARN",
      });
      const bundle = stack.assembly.assetDirectory(each.Code.S3Key);
      const { sources } = z
        .object({ sources: z.array(z.string()) })
        .parse(JSON.parse(readFileSync(join(bundle, "index.mjs.map"), "utf8")));
      expect(sources.some((source) => source.includes("/lambdas/"))).toBe(true);
    }
  });

  it("have a log group each, which forgets when the config says", () => {
    const groups = stack.of("AWS::Logs::LogGroup", z.object({ LogGroupName: z.string(), RetentionInDays: z.int() }));
    const used = all().map(({ LoggingConfig }) => LoggingConfig.LogGroup);
    expect(new Set(used).size).toBe(all().length);
    expect(groups.map(({ LogGroupName }) => LogGroupName)).toEqual(expect.arrayContaining(used));
    expect(groups.filter(({ RetentionInDays }) => RetentionInDays !== 90)).toEqual([]);
  });

  it("stay below AWS's 4 KB of environment, whatever the queues are called", () => {
    for (const { FunctionName, Environment } of all()) {
      // The account id and the region are as long there as here.
      const bytes = Object.entries(Environment.Variables).reduce(
        (sum, [name, value]) => sum + name.length + value.length,
        0,
      );
      expect(bytes, FunctionName).toBeLessThan(3_500);
    }
  });

  it("are small enough to start fast", () => {
    const kilobytes = Object.fromEntries(
      all().map(({ FunctionName, Code }) => [
        FunctionName.replace("test-flux-", ""),
        Math.ceil(statSync(join(stack.assembly.assetDirectory(Code.S3Key), "index.mjs")).size / 1000),
      ]),
    );
    const overBudget = Object.entries(kilobytes).filter(([name, size]) => size > bundleBudgetKb(name));
    expect(overBudget).toEqual([]);
  });

  it("of routes and workflows have the limits of their records", () => {
    for (const [zone, { timeoutSeconds, memoryMb }] of entriesOf(zones))
      expect(functionNamed(`test-flux-${zone}-routes`)).toMatchObject({
        Timeout: timeoutSeconds,
        MemorySize: memoryMb,
      });
    for (const [workflow, { taskTimeoutSeconds, taskMemoryMb }] of entriesOf(workflows))
      expect(functionNamed(`test-flux-${workflow}-tasks`)).toMatchObject({
        Timeout: taskTimeoutSeconds,
        MemorySize: taskMemoryMb,
      });
  });

  it("answer before the API gives up after 30 s", () => {
    for (const { timeoutSeconds } of Object.values(zones)) expect(timeoutSeconds).toBeLessThan(30);
  });
});

describe("the HTTP API", () => {
  it("sends each path and method of the registry to the function of its zone, and the rest to the default route", () => {
    const integrations = new Map(
      Object.entries(stack.assembly.template.Resources).flatMap(([logicalId, { Type, Properties }]) => {
        if (Type !== "AWS::ApiGatewayV2::Integration") return [];
        const text = JSON.stringify(Properties.IntegrationUri);
        return [[logicalId, text]];
      }),
    );
    const wanted = Object.values(routes).flatMap(({ path, methods, zone }) =>
      path === "$default" ? [] : methods.map((method) => [`${method} ${path}`, `${zone}zone`]),
    );
    const actual = stack
      .of(
        "AWS::ApiGatewayV2::Route",
        z.object({ RouteKey: z.string(), Target: z.string(), AuthorizationType: z.string() }),
      )
      .map(({ RouteKey, Target }) => {
        const target = integrations.get(last(Target)) ?? "";
        return [RouteKey, /api(\w+?)function/.exec(target)?.[1]];
      });
    expect(actual.sort()).toEqual([...wanted, ["$default", "webhookszone"]].sort());
  });

  it("lets browsers of the configured origins in, and nobody else's", () => {
    const { CorsConfiguration } = only(
      stack.of("AWS::ApiGatewayV2::Api", z.object({ CorsConfiguration: z.record(z.string(), z.unknown()) })),
    );
    expect(CorsConfiguration).toMatchObject({ AllowOrigins: adoptersConfig.allowedOrigins });
    expect(JSON.stringify(CorsConfiguration)).not.toContain("*");
    expect(CorsConfiguration.AllowCredentials).toBeUndefined();
  });

  it("logs each access without its query, in which a link's token stands", () => {
    const stage = only(
      stack.of("AWS::ApiGatewayV2::Stage", z.object({ AccessLogSettings: z.object({ Format: z.string() }) })),
    );
    expect(stage.AccessLogSettings.Format).toContain("$context.routeKey");
    expect(stage.AccessLogSettings.Format).not.toMatch(/query|\$context\.path|authorizer/i);
  });
});

describe("schedules", () => {
  const shape = z.object({
    Name: z.string(),
    ScheduleExpression: z.string(),
    ScheduleExpressionTimezone: z.string(),
    State: z.string(),
    Target: z.object({ Arn: z.string(), Input: z.string() }),
  });

  it("run in the config's zone, start what the registry says and pass the time they were due", () => {
    const schedules = stack.of("AWS::Scheduler::Schedule", shape);
    expect(schedules).toHaveLength(Object.keys(stack.station.schedules).length);
    for (const [name, record] of entriesOf(stack.station.schedules)) {
      const schedule = only(schedules.filter(({ Name }) => Name === `test-flux-${name}`));
      expect(schedule).toMatchObject({
        ScheduleExpression: record.expression,
        ScheduleExpressionTimezone: "Europe/Berlin",
        State: record.enabled ? "ENABLED" : "DISABLED",
      });
      const target = "queue" in record ? record.queue : record.workflow;
      expect(last(schedule.Target.Arn)).toBe(`test-flux-${target}`);
      if ("queue" in record) continue;
      expect(JSON.parse(schedule.Target.Input)).toEqual({
        scheduledTime: "<aws.scheduler.scheduled-time>",
        ...record.input,
      });
    }
  });

  it.each(["outbox-sweep", "recovery-sweep"] as const)(
    "send %s a message that its worker takes, the same one when Scheduler delivers twice",
    (queue) => {
      const schedules = stack.of("AWS::Scheduler::Schedule", shape);
      const { Target } = only(schedules.filter(({ Name }) => Name === `test-flux-${queue}`));
      const input = Target.Input.replaceAll("<aws.scheduler.scheduled-time>", "2025-11-24T09:00:00Z").replaceAll(
        "<aws.scheduler.execution-id>",
        "execution-1",
      );
      expect(input).not.toContain("<aws.");
      expect(envelopeOf(queue).parse(JSON.parse(input))).toMatchObject({
        id: "execution-1",
        occurredAt: "2025-11-24T09:00:00Z",
      });
    },
  );

  it("take expression and state from the adopter's config", () => {
    const byName = new Map(stack.of("AWS::Scheduler::Schedule", shape).map((one) => [one.Name, one]));
    expect(byName.get("test-flux-weekly-digest")?.ScheduleExpression).toBe("cron(30 7 ? * TUE *)");
    expect(byName.get("test-flux-digest-rehearsal")?.State).toBe("DISABLED");
  });
});

describe("state and secrets", () => {
  it("survive the stack, and the table can be taken back to any second", () => {
    expect(stack.deletionPolicies("AWS::DynamoDB::Table")).toEqual(["Retain"]);
    expect(stack.deletionPolicies("AWS::SecretsManager::Secret")).toEqual(["Retain"]);
    const table = only(
      stack.of(
        "AWS::DynamoDB::Table",
        z.object({
          TimeToLiveSpecification: z.unknown(),
          PointInTimeRecoverySpecification: z.unknown(),
          BillingMode: z.string(),
        }),
      ),
    );
    expect(table).toEqual({
      TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      BillingMode: "PAY_PER_REQUEST",
    });
  });

  it("keep no secret in the template or in a function's environment", () => {
    const secret = only(stack.of("AWS::SecretsManager::Secret", z.record(z.string(), z.unknown())));
    expect(secret.SecretString).toBeUndefined();
    const names = stack
      .of("AWS::Lambda::Function", functionShape)
      .flatMap(({ Environment }) => Object.keys(Environment.Variables));
    expect(names.filter((name) => /KEY|TOKEN|PASSWORD|SECRET(?!_ID$)/.test(name))).toEqual([]);
  });
});

it("gives every Standard workflow a deadline, which comes before its machine gives up", () => {
  for (const [name, { type, deadlineMinutes = 0 }] of entriesOf(stack.station.workflows)) {
    if (type === "EXPRESS") continue;
    const definition = readFileSync(join(import.meta.dirname, `../../statemachines/${name}.asl.json`), "utf8");
    const { TimeoutSeconds } = z.object({ TimeoutSeconds: z.int() }).parse(JSON.parse(definition));
    expect(deadlineMinutes, name).toBeGreaterThan(0);
    expect(deadlineMinutes * 60, name).toBeLessThan(TimeoutSeconds);
  }
});

it("deploys every flag of the registry at once, on where the config says so and else off", () => {
  const { Content } = only(stack.of("AWS::AppConfig::HostedConfigurationVersion", z.object({ Content: z.string() })));
  const { values, flags: described } = z
    .object({
      values: z.record(z.string(), z.object({ enabled: z.boolean() })),
      flags: z.record(z.string(), z.object({ description: z.string() })),
    })
    .parse(JSON.parse(Content));
  expect(Object.keys(values)).toEqual(Object.keys(flags));
  for (const [name, { whileOn }] of entriesOf(flags)) {
    expect(values[name], name).toEqual({ enabled: name === "digest-one-at-a-time" });
    expect(described[name]?.description).toBe(whileOn);
    // AppConfig takes no other names.
    expect(name).toMatch(/^[a-z][a-zA-Z\d_-]{0,63}$/);
  }
  expect(stack.of("AWS::AppConfig::DeploymentStrategy", z.record(z.string(), z.unknown()))).toMatchObject([
    { DeploymentDurationInMinutes: 0, FinalBakeTimeInMinutes: 0, GrowthFactor: 100 },
  ]);
});

describe("alarms", () => {
  it("tell the operator of the config", () => {
    const subscription = only(
      stack.of("AWS::SNS::Subscription", z.object({ Protocol: z.string(), Endpoint: z.string() })),
    );
    expect(subscription).toEqual({ Protocol: "email", Endpoint: "operator@example.com" });
  });

  it.each(entriesOf(signals))("ring when %s is counted once", (name, { errorImpact }) => {
    expect(alarmNamed(`test-flux-signal-${name}`)).toMatchObject({
      AlarmDescription: errorImpact,
      AlarmActions: [topicArn],
      Namespace: "FluxStation",
      MetricName: name,
      // What lambdas/runtime/metrics.ts writes, and no dimension more or less.
      Dimensions: expect.toSatisfy(isOfEveryMetric),
      Threshold: 1,
    });
  });

  it("ring when callers get errors, and when a schedule could not do its work", () => {
    expect(alarmNamed("test-flux-api-errors")).toMatchObject({
      AlarmActions: [topicArn],
      Namespace: "AWS/ApiGateway",
      MetricName: "5xx",
      Threshold: 5,
    });
    const group = [{ Name: "ScheduleGroup", Value: "test-flux-schedules" }];
    const ofSchedules = { AlarmActions: [topicArn], Namespace: "AWS/Scheduler", Dimensions: group };
    expect(alarmNamed("test-flux-schedule-target-errors")).toMatchObject({
      ...ofSchedules,
      MetricName: "TargetErrorCount",
    });
    expect(alarmNamed("test-flux-schedule-dropped")).toMatchObject({
      ...ofSchedules,
      MetricName: "InvocationDroppedCount",
      Threshold: 1,
    });
    const schedules = stack.of("AWS::Scheduler::Schedule", z.object({ GroupName: z.string() }));
    expect(new Set(schedules.map(({ GroupName }) => GroupName))).toEqual(new Set(["test-flux-schedules"]));
  });

  it("say each who is harmed", () => {
    const texts = stack.of("AWS::CloudWatch::Alarm", z.object({ AlarmDescription: z.string().min(20) }));
    expect(texts.length).toBe(stack.countByType()["AWS::CloudWatch::Alarm"]);
  });

  it.each(entriesOf(workflows))("ring when a run of %s fails or never ends", (name, { errorImpact }) => {
    const Dimensions = [
      { Name: "StateMachineArn", Value: `arn:aws:states:us-east-1:000000000000:stateMachine:test-flux-${name}` },
    ];
    const common = { AlarmDescription: errorImpact, AlarmActions: [topicArn], Namespace: "AWS/States", Dimensions };
    expect(alarmNamed(`test-flux-workflow-failed-${name}`)).toMatchObject({
      ...common,
      MetricName: "ExecutionsFailed",
    });
    expect(alarmNamed(`test-flux-workflow-timed-out-${name}`)).toMatchObject({
      ...common,
      MetricName: "ExecutionsTimedOut",
    });
  });
});

/** What a function may weigh: the AWS clients and Powertools are 1 MB, mail templates with React another 0.35. */
function bundleBudgetKb(name: string): number {
  return ["subscription-worker", "digest-tasks", "sequence-tasks"].includes(name) ? 1_700 : 1_350;
}

function isOfEveryMetric(dimensions: { Name: string; Value: string }[]): boolean {
  const byName = Object.fromEntries(dimensions.map(({ Name, Value }) => [Name, Value]));
  return (
    JSON.stringify(Object.entries(byName).sort()) ===
    JSON.stringify([
      ["service", "flux-station"],
      ["stage", "test"],
    ])
  );
}

function last(arnOrUrl: string): string {
  return arnOrUrl.split(/[:/]/).at(-1) ?? "";
}
