import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { deadLetterUrlVariable, queueUrlVariable, workflowArnVariable } from "../../lambdas/core/names.ts";
import { entriesOf } from "../../lambdas/core/record.ts";
import { type QueueName, queues } from "../../registry/queues.ts";
import { type RouteRecord, routes, zones } from "../../registry/routes.ts";
import { workflows } from "../../registry/workflows.ts";
import { config } from "../../station.config.ts";
import { functionShape, type SynthesizedStack, synthesizeStack } from "./synthesized.ts";

let stack: SynthesizedStack;
beforeAll(async () => {
  stack = await synthesizeStack(config);
});
afterAll(async () => {
  await stack.remove();
});

/** What a function may do: `action on resource`, the resource as `service:name`. */
type Grants = string[];

const oneOrMore = z.union([z.string().transform((one) => [one]), z.array(z.string())]);
const policyShape = z.object({
  Roles: z.array(z.string()),
  PolicyDocument: z.object({
    Statement: z.array(
      z.object({
        Effect: z.literal("Allow"),
        Action: oneOrMore,
        Resource: oneOrMore,
        Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
      }),
    ),
  }),
});

const resourceOf = (arn: string): string => {
  const [, , service, , , ...rest] = arn.split(":");
  if (service === undefined) return arn;
  // A machine's runs are the machine's.
  if (service === "states" && rest[0] === "execution" && rest[2] === "*") return `states:${rest[1]}`;
  return service === "logs" ? `logs:${rest.slice(1).join(":")}` : `${service}:${rest.join(":").split(/[:/]/).at(-1)}`;
};
const roleName = (arn: string) => arn.split("/").at(-1);

function grantsOf(roleArn: string): Grants {
  return stack
    .of("AWS::IAM::Policy", policyShape)
    .filter(({ Roles }) => Roles.includes(roleName(roleArn) ?? ""))
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    .flatMap(({ Action, Resource }) =>
      Action.flatMap((action) => Resource.map((resource) => `${action} on ${resourceOf(resource)}`)),
    )
    .filter((grant, index, all) => all.indexOf(grant) === index)
    .sort();
}

const on = (resource: string, ...actions: string[]): Grants => actions.map((action) => `${action} on ${resource}`);
const queueResource = (name: QueueName) => `sqs:test-flux-${name}${queues[name].fifo ? ".fifo" : ""}`;
const deadLetterResource = (name: QueueName) => `sqs:test-flux-${name}-dlq${queues[name].fifo ? ".fifo" : ""}`;

const writesItsLog = (name: string) =>
  on(`logs:/flux-station/test/${name}:*`, "logs:CreateLogStream", "logs:PutLogEvents");
const usesTable = on(
  "dynamodb:test-flux-state",
  "dynamodb:DeleteItem",
  "dynamodb:GetItem",
  "dynamodb:PutItem",
  "dynamodb:UpdateItem",
);
const readsSecret = on(
  "secretsmanager:test-flux-station",
  "secretsmanager:DescribeSecret",
  "secretsmanager:GetSecretValue",
);
const readsFlags = on(
  "appconfig:test-flux-flags",
  "appconfig:GetLatestConfiguration",
  "appconfig:StartConfigurationSession",
);
const sendsTo = (resource: string) => on(resource, "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage");
const empties = (name: QueueName) =>
  on(
    queueResource(name),
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
  );
const inspectsAll = entriesOf(queues).flatMap(([name]) => [
  ...on(queueResource(name), "sqs:GetQueueAttributes"),
  ...on(deadLetterResource(name), "sqs:GetQueueAttributes"),
]);
/** Which mapping may be switched, a condition says; see the test below. */
const feeds = [...on("*", "lambda:ListEventSourceMappings"), ...on("lambda:*", "lambda:UpdateEventSourceMapping")];
const recovers = (name: string) =>
  on(
    `states:test-flux-${name}`,
    "states:DescribeExecution",
    "states:GetExecutionHistory",
    "states:ListExecutions",
    "states:StartExecution",
    "states:StopExecution",
  );
const starts = (name: string) => on(`states:test-flux-${name}`, "states:StartExecution");
const runs = (name: string) => on(`states:test-flux-${name}`, "states:StartSyncExecution");
const queuesNamed = (names: readonly string[] = []) =>
  entriesOf(queues).flatMap(([name]) => (names.includes(name) ? sendsTo(queueResource(name)) : []));

/** The whole of what functions may do, from the registry's records alone. */
function allowed(): Record<string, Grants> {
  const unique = (grants: Grants) => [...new Set(grants)].sort();
  const byZone = entriesOf(zones).map(([zone]) => {
    const ofZone = Object.values<RouteRecord>(routes).filter((route) => route.zone === zone);
    const name = `${zone}-routes`;
    const grants = ofZone.flatMap(({ queues: names, workflow, inspectsQueues }) => [
      ...queuesNamed(names),
      ...(workflow ? starts(workflow) : []),
      ...(inspectsQueues ? inspectsAll : []),
    ]);
    return [name, unique([...writesItsLog(name), ...usesTable, ...readsSecret, ...grants])];
  });
  const byQueue = Object.entries(stack.station.queues).map(([queue, { uses }]) => {
    const name = `${queue}-worker`;
    const own = entriesOf(queues).flatMap(([each]) =>
      each === queue ? [...empties(each), ...sendsTo(queueResource(each)), ...sendsTo(deadLetterResource(each))] : [],
    );
    return [
      name,
      unique([
        ...writesItsLog(name),
        ...usesTable,
        ...own,
        ...(uses.providers.length > 0 || uses.secrets ? readsSecret : []),
        ...(uses.flags ? readsFlags : []),
        ...queuesNamed(uses.queues),
        ...(uses.workflows ?? []).flatMap(runs),
        ...(uses.feeds ? feeds : []),
        ...(uses.recovers ?? []).flatMap(recovers),
      ]),
    ];
  });
  const byWorkflow = Object.entries(stack.station.workflows).map(([workflow, { uses }]) => {
    const name = `${workflow}-tasks`;
    const secret = uses.providers.length > 0 || uses.secrets ? readsSecret : [];
    const flags = uses.flags ? readsFlags : [];
    return [name, unique([...writesItsLog(name), ...usesTable, ...secret, ...flags, ...queuesNamed(uses.queues)])];
  });
  return Object.fromEntries([...byZone, ...byQueue, ...byWorkflow]);
}

const functions = () =>
  stack.of("AWS::Lambda::Function", functionShape).map(({ FunctionName, Role, Environment }) => ({
    name: FunctionName.replace("test-flux-", ""),
    role: roleName(Role),
    grants: grantsOf(Role),
    variables: Environment.Variables,
  }));

it("each function may do what its record says, and nothing else", () => {
  expect(Object.fromEntries(functions().map(({ name, grants }) => [name, grants]))).toEqual(allowed());
});

it("the function that anyone may call cannot start a workflow, read a message, or send to a queue of others", () => {
  const publicRoutes = functions().find(({ name }) => name === "public-routes");
  const risky = (publicRoutes?.grants ?? []).filter((grant) => /states:|Receive|Delete|SendMessage/.test(grant));
  expect(risky).toEqual([
    "dynamodb:DeleteItem on dynamodb:test-flux-state",
    "sqs:SendMessage on sqs:test-flux-email",
    "sqs:SendMessage on sqs:test-flux-subscription",
  ]);
});

it("what a function is told of it may use, and what it may use it is told of", () => {
  for (const { name, grants, variables } of functions()) {
    const told = Object.entries(variables).flatMap(([variable, value]) => {
      const service = serviceOf(variable);
      return service ? [`${service}:${value.split(/[:/]/).at(-1)}`] : [];
    });
    const granted = grants
      .map((grant) => grant.split(" on ")[1] ?? "")
      // A mapping is found by the name of its function.
      .filter((resource) => !/^(logs:|lambda:\*$|\*$)/.test(resource));
    // Whoever is told of a queue knows its dead letters by their name.
    const deadLetters = entriesOf(queues).flatMap(([queue]) =>
      told.includes(queueResource(queue)) ? [deadLetterResource(queue)] : [],
    );
    const known = [...told, ...deadLetters.filter((resource) => granted.includes(resource))];
    expect([...new Set(known)].sort(), name).toEqual([...new Set(granted)].sort());
  }
});

it("a variable of a queue or workflow has the name that the code looks for", () => {
  const known = new Set([
    ...Object.keys(queues).flatMap((name) => [queueUrlVariable(name), deadLetterUrlVariable(name)]),
    ...Object.keys(workflows).map(workflowArnVariable),
    ...["STATE_TABLE", "SECRET_ID", "PUBLIC_API_URL", "BACKOFF_BASE_SECONDS", "STATION_STAGE"],
    ...["FLAGS_APPLICATION", "FLAGS_ENVIRONMENT", "FLAGS_PROFILE"],
    ...["NODE_OPTIONS", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"],
  ]);
  const given = functions().flatMap(({ variables }) => Object.keys(variables));
  expect(given.filter((variable) => !known.has(variable))).toEqual([]);
});

it("every function that writes unsubscribe links knows where they lead", () => {
  const writers = functions().filter(({ variables }) => variables.PUBLIC_API_URL !== undefined);
  expect(writers.map(({ name }) => name).sort()).toEqual(["digest-tasks", "sequence-tasks", "subscription-worker"]);
  for (const { variables } of writers) expect(variables.PUBLIC_API_URL).toBe("https://api.example.com");
});

it("a machine may call the tasks of its own workflow only", () => {
  const machine = z.object({ StateMachineName: z.string(), RoleArn: z.string() });
  for (const { StateMachineName, RoleArn } of stack.of("AWS::StepFunctions::StateMachine", machine)) {
    const invocations = grantsOf(RoleArn).filter((grant) => grant.startsWith("lambda:"));
    const workflow = StateMachineName.replace("test-flux-", "");
    const tasks = `lambda:test-flux-${workflow}-tasks`;
    // The second is its versions: `<arn>:*`, of which `resourceOf` keeps the end.
    expect(invocations, StateMachineName).toEqual([
      "lambda:InvokeFunction on lambda:*",
      `lambda:InvokeFunction on ${tasks}`,
    ]);
  }
});

it("only the recovery sweep may switch off a worker, any but itself and none of another station", () => {
  const switching = stack
    .of("AWS::IAM::Policy", policyShape)
    .flatMap(({ Roles, PolicyDocument }) => PolicyDocument.Statement.map((statement) => ({ Roles, ...statement })))
    .filter(({ Action }) => Action.some((action) => /lambda:.*EventSourceMappings?$/.test(action)));
  const sweepRole = functions().find(({ name }) => name === "recovery-sweep-worker")?.role;
  expect(new Set(switching.flatMap(({ Roles }) => Roles))).toEqual(new Set([sweepRole]));
  const others = Object.keys(queues).filter((queue) => queue !== "recovery-sweep");
  expect(switching.map(({ Action, Condition }) => [Action, Condition])).toEqual([
    [["lambda:ListEventSourceMappings"], undefined],
    [
      ["lambda:UpdateEventSourceMapping"],
      {
        ArnEquals: {
          "lambda:FunctionArn": others.map(
            (queue) => `arn:aws:lambda:us-east-1:000000000000:function:test-flux-${queue}-worker`,
          ),
        },
      },
    ],
  ]);
});

it("a schedule may start the workflow or send to the queue it is for, and nothing else", () => {
  const schedule = z.object({ Target: z.object({ Arn: z.string(), RoleArn: z.string() }) });
  for (const { Target } of stack.of("AWS::Scheduler::Schedule", schedule))
    expect(grantsOf(Target.RoleArn)).toEqual(
      Target.Arn.includes(":sqs:")
        ? [expect.stringMatching(new RegExp(`^sqs:.* on ${resourceOf(Target.Arn)}$`))]
        : [`states:StartExecution on ${resourceOf(Target.Arn)}`],
    );
});

it("only the API may invoke a function of routes, and only through this API", () => {
  const permissions = stack.of(
    "AWS::Lambda::Permission",
    z.object({ Principal: z.string(), FunctionName: z.string(), SourceArn: z.string() }),
  );
  for (const { Principal, FunctionName, SourceArn } of permissions) {
    expect(Principal).toBe("apigateway.amazonaws.com");
    expect(FunctionName).toMatch(/function:test-flux-(public|user|internal|webhooks)-routes$/);
    expect(SourceArn).toMatch(/:apihttp\w+\//);
  }
});

it("no role carries a policy that AWS manages: those allow more than we ask for", () => {
  const roles = stack.of("AWS::IAM::Role", z.object({ ManagedPolicyArns: z.array(z.unknown()).default([]) }));
  expect(roles.filter(({ ManagedPolicyArns }) => ManagedPolicyArns.length > 0)).toEqual([]);
});

function serviceOf(variable: string): string | undefined {
  if (variable.startsWith("QUEUE_URL_") || variable.startsWith("DEAD_LETTER_URL_")) return "sqs";
  if (variable.startsWith("WORKFLOW_ARN_")) return "states";
  return { STATE_TABLE: "dynamodb", SECRET_ID: "secretsmanager", FLAGS_PROFILE: "appconfig" }[variable];
}
