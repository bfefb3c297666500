import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { App, Duration, Stack } from "aws-cdk-lib";
import { HttpApi, HttpMethod } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Code, Function as LambdaFunction, Runtime, RuntimeFamily } from "aws-cdk-lib/aws-lambda";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { ignoredTypes } from "../../local/assembly/ignored-types.ts";
import { type Assembly, readAssembly, type Template } from "../../local/assembly/read-assembly.ts";
import { type Resources, resolveResources, UnsupportedResources } from "../../local/assembly/resolve-resources.ts";
import { localAttributes } from "../../local/assembly/resource-attributes.ts";
import type { ResourceKind } from "../../local/assembly/resource-kind.ts";
import { httpApiKind, httpIntegrationKind, httpRouteKind, httpStageKind } from "../../local/aws/http-api-kinds.ts";
import { functionKind, lambdaFunctionOf } from "../../local/aws/lambda/function-kind.ts";
import { logGroupKind } from "../../local/aws/lambda/log-group-kind.ts";

const urls = { sqs: "http://127.0.0.1:9324", api: "http://127.0.0.1:4600" };
const bundle = fileURLToPath(new URL("fixtures/lambda-cases", import.meta.url));

const queueKind = {
  type: "AWS::SQS::Queue",
  properties: z.strictObject({
    QueueName: z.string().optional(),
    RedrivePolicy: z.strictObject({ deadLetterTargetArn: z.string(), maxReceiveCount: z.number() }).optional(),
  }),
} satisfies ResourceKind<unknown>;
const mappingKind = {
  type: "AWS::Lambda::EventSourceMapping",
  properties: z.looseObject({ EventSourceArn: z.string(), FunctionName: z.string() }),
} satisfies ResourceKind<unknown>;
const kinds: ResourceKind<unknown>[] = [
  functionKind,
  logGroupKind,
  httpApiKind,
  httpRouteKind,
  httpIntegrationKind,
  httpStageKind,
  queueKind,
  mappingKind,
];

/** A CDK app with what CDK really writes: assets, joins, substitutions, roles, permissions. */
async function synthesize(outdir: string): Promise<void> {
  const app = new App({ outdir });
  const stack = new Stack(app, "Sample", { env: { region: "us-east-1" } });
  const deadLetters = new Queue(stack, "DeadLetters", { queueName: "jobs-dlq" });
  const jobs = new Queue(stack, "Jobs", {
    queueName: "jobs",
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: 3 },
    enforceSSL: true,
  });
  const web = new LambdaFunction(stack, "Web", {
    functionName: "web",
    runtime: new Runtime("nodejs24.x", RuntimeFamily.NODEJS),
    handler: "index.echo",
    code: Code.fromAsset(bundle),
    timeout: Duration.seconds(20),
    environment: { QUEUE_URL: jobs.queueUrl },
    logGroup: new LogGroup(stack, "WebLogs", { retention: RetentionDays.ONE_MONTH }),
  });
  web.addEventSource(new SqsEventSource(jobs, { reportBatchItemFailures: true, maxConcurrency: 2 }));
  jobs.grantSendMessages(web);
  const api = new HttpApi(stack, "Api");
  web.addEnvironment("API_URL", api.apiEndpoint);
  api.addRoutes({
    path: "/email/{id}",
    methods: [HttpMethod.GET],
    integration: new HttpLambdaIntegration("WebIntegration", web),
  });
  app.synth();
}

function resolve(template: Partial<Template>, withKinds = kinds): Resources {
  return resolveResources({
    template: { Resources: {}, Parameters: {}, Conditions: {}, ...template },
    stackName: "Sample",
    kinds: withKinds,
    ignoredTypes,
    attributes: localAttributes(urls),
  });
}

let outdir: string;
let assembly: Assembly;
beforeAll(async () => {
  outdir = await mkdtemp(join(tmpdir(), "assembly-test-"));
  await synthesize(outdir);
  assembly = await readAssembly(outdir);
}, 60_000);
afterAll(() => rm(outdir, { recursive: true, force: true }));

describe("a synthesized assembly", () => {
  it("gives functions with plain values, their bundles and their endpoints", () => {
    const resources = resolve(assembly.template);
    const [web, ...others] = resources.of(functionKind).map((fn) => lambdaFunctionOf(fn, assembly.assetDirectory));
    expect(others).toEqual([]);
    expect(web).toEqual({
      name: "web",
      arn: "arn:aws:lambda:us-east-1:000000000000:function:web",
      assetDir: expect.stringContaining(join(outdir, "asset.")),
      handler: "index.echo",
      timeoutSeconds: 20,
      memoryMb: 128,
      environment: { QUEUE_URL: `${urls.sqs}/000000000000/jobs`, API_URL: urls.api },
    });
    expect(existsSync(join(web?.assetDir ?? "", "index.mjs"))).toBe(true);
    expect(resources.of(logGroupKind)).toMatchObject([{ properties: { RetentionInDays: 30 } }]);
  });

  it("connects routes, integrations, queues and mappings by ARNs of this machine", () => {
    const resources = resolve(assembly.template);
    const [integration] = resources.of(httpIntegrationKind);
    expect(integration?.properties.IntegrationUri).toBe("arn:aws:lambda:us-east-1:000000000000:function:web");
    expect(resources.of(httpRouteKind)).toMatchObject([
      { properties: { RouteKey: "GET /email/{id}", Target: `integrations/${integration?.name}` } },
    ]);
    expect(resources.of(mappingKind)).toMatchObject([
      { properties: { EventSourceArn: "arn:aws:sqs:us-east-1:000000000000:jobs", FunctionName: "web" } },
    ]);
    expect(resources.of(queueKind).find(({ name }) => name === "jobs")?.properties.RedrivePolicy).toEqual({
      deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:jobs-dlq",
      maxReceiveCount: 3,
    });
  });

  it("is refused when a file is missing or there is not one stack, with the file's name", async () => {
    await expect(readAssembly(join(outdir, "absent"))).rejects.toThrow(/absent\/manifest\.json. Run npm run synth/);
    const empty = await mkdtemp(join(tmpdir(), "assembly-test-"));
    try {
      await writeFile(join(empty, "manifest.json"), '{"artifacts":{}}');
      await expect(readAssembly(empty)).rejects.toThrow("exactly one stack, found: none");
      await writeFile(join(empty, "manifest.json"), "{");
      await expect(readAssembly(empty)).rejects.toThrow("is not a CDK assembly file");
    } finally {
      await rm(empty, { recursive: true });
    }
    expect(() => assembly.assetDirectory("absent.zip")).toThrow("absent.zip");
  });
});

describe("what this machine cannot run", () => {
  const problemsOf = (template: Partial<Template>, withKinds = kinds): string[] => {
    try {
      resolve(template, withKinds);
    } catch (error) {
      if (error instanceof UnsupportedResources) return error.problems;
      throw error;
    }
    return [];
  };
  const queue = (Properties: Record<string, unknown>) => ({ Type: "AWS::SQS::Queue", Properties });

  it("is reported all at once, each with its logical id", () => {
    const problems = problemsOf({
      Resources: {
        Bucket: { Type: "AWS::S3::Bucket", Properties: {} },
        Jobs: queue({ Fancy: 1, RedrivePolicy: { deadLetterTargetArn: "a", maxReceiveCount: 1, extra: true } }),
        Named: queue({ QueueName: 7 }),
        Pointing: queue({ QueueName: { Ref: "Nowhere" } }),
        Importing: queue({ QueueName: { "Fn::ImportValue": "x" } }),
        Secretive: queue({ QueueName: "{{resolve:ssm:name}}" }),
        Reading: queue({ QueueName: { "Fn::GetAtt": ["Named", "Color"] } }),
        Garbled: queue({ QueueName: { "Fn::Join": "x" } }),
      },
    });
    expect(problems).toEqual([
      "Bucket (AWS::S3::Bucket): no part of this machine runs this resource type",
      "Jobs (AWS::SQS::Queue): does not support property RedrivePolicy.extra",
      "Jobs (AWS::SQS::Queue): does not support property Fancy",
      expect.stringContaining("Named (AWS::SQS::Queue): property QueueName: "),
      "Pointing (AWS::SQS::Queue): refers to Nowhere, which the template does not have",
      "Importing (AWS::SQS::Queue): uses Fn::ImportValue, which is not computed here",
      "Secretive (AWS::SQS::Queue): holds the dynamic reference {{resolve:ssm:name}}, which is not resolved here",
      "Reading (AWS::SQS::Queue): needs Named.Color, which is not known here",
      "Garbled (AWS::SQS::Queue): an intrinsic function has arguments this machine does not read",
    ]);
  });

  it("may be left out with a reason, as a type or as a property", () => {
    const Resources = {
      Role: { Type: "AWS::IAM::Role", Properties: { Odd: { "Fn::ImportValue": "x" } } },
      Jobs: queue({ Tags: { "Fn::ImportValue": "x" } }),
    };
    expect(problemsOf({ Resources })).toHaveLength(1);
    expect(problemsOf({ Resources }, [{ ...queueKind, ignoredProperties: { Tags: "labels" } }])).toEqual([]);
  });

  it("is a function property that changes what runs", () => {
    const Properties = { Code: { S3Bucket: "b", S3Key: "k" }, Handler: "index.handler", Runtime: "nodejs24.x" };
    const fn = (more: Record<string, unknown>) => ({
      Resources: { Fn: { Type: "AWS::Lambda::Function", Properties: { ...Properties, ...more } } },
    });
    expect(problemsOf(fn({ Timeout: "30", Role: "r" }))).toEqual([]);
    expect(problemsOf(fn({ Layers: ["l"] }))).toEqual(["Fn (AWS::Lambda::Function): does not support property Layers"]);
    expect(problemsOf(fn({ Timeout: 901 }))).toHaveLength(1);
    expect(problemsOf(fn({ Runtime: "nodejs20.x" }))).toHaveLength(1);
  });
});

describe("intrinsic functions", () => {
  const open = "${";
  const anything = { type: "Sample::Any", properties: z.record(z.string(), z.unknown()) };
  const computed = (value: unknown, template: Partial<Template> = {}): unknown => {
    const Resources = {
      Jobs: { Type: "AWS::SQS::Queue", Properties: {} },
      Any: { Type: "Sample::Any", Properties: { value } },
      ...template.Resources,
    };
    return resolve({ ...template, Resources }, [...kinds, anything]).of(anything)[0]?.properties.value;
  };

  it.each([
    ["a pseudo parameter", { Ref: "AWS::Region" }, "us-east-1"],
    ["a queue's URL", { Ref: "Jobs" }, `${urls.sqs}/000000000000/Jobs`],
    ["an attribute", { "Fn::GetAtt": ["Jobs", "Arn"] }, "arn:aws:sqs:us-east-1:000000000000:Jobs"],
    ["an attribute in short form", { "Fn::GetAtt": "Jobs.QueueName" }, "Jobs"],
    ["a join", { "Fn::Join": ["-", ["a", { Ref: "AWS::Partition" }, 1]] }, "a-aws-1"],
    ["a split and a selection", { "Fn::Select": ["1", { "Fn::Split": ["/", "a/b/c"] }] }, "b"],
    [
      "a substitution",
      { "Fn::Sub": `${open}AWS::AccountId}/${open}Jobs.QueueName}/${open}!kept}` },
      `000000000000/Jobs/${open}kept}`,
    ],
    [
      "a substitution with variables",
      { "Fn::Sub": [`${open}x}-${open}Jobs.QueueName}`, { x: { Ref: "AWS::Region" } }] },
      "us-east-1-Jobs",
    ],
    ["a parameter's default", { Ref: "Size" }, 3],
    ["a condition", { "Fn::If": ["IsLarge", "large", "small"] }, "small"],
    ["no value in a list", { list: [1, { Ref: "AWS::NoValue" }] }, { list: [1] }],
    ["no value in an object", { a: 1, b: { "Fn::If": ["IsLarge", 2, { Ref: "AWS::NoValue" }] } }, { a: 1 }],
    ["an object with one ordinary key", { Name: { Ref: "AWS::Region" } }, { Name: "us-east-1" }],
  ])("compute %s", (_case, value, expected) => {
    const result = computed(value, {
      Parameters: { Size: { Type: "Number", Default: 3 } },
      Conditions: {
        IsBig: { "Fn::Equals": [{ Ref: "Size" }, 100] },
        IsLarge: { "Fn::And": [{ Condition: "IsBig" }, { "Fn::Not": [{ Condition: "IsBig" }] }] },
      },
    });
    expect(result).toEqual(expected);
  });

  it("leave out a resource whose condition does not hold", () => {
    const resources = resolve({
      Resources: { Jobs: { Type: "AWS::SQS::Queue", Properties: {}, Condition: "Never" } },
      Conditions: { Never: { "Fn::Equals": ["a", "b"] } },
    });
    expect(resources.of(queueKind)).toEqual([]);
  });

  it("let two resources refer to each other by name", () => {
    const other = {
      Type: "AWS::SQS::Queue",
      Properties: { RedrivePolicy: { deadLetterTargetArn: { "Fn::GetAtt": ["Jobs", "Arn"] }, maxReceiveCount: 1 } },
    };
    const jobs = {
      Type: "AWS::SQS::Queue",
      Properties: {
        QueueName: "jobs",
        RedrivePolicy: { deadLetterTargetArn: { "Fn::GetAtt": ["Other", "Arn"] }, maxReceiveCount: 1 },
      },
    };
    const [first, second] = resolve({ Resources: { Jobs: jobs, Other: other } }).of(queueKind);
    expect(first?.properties.RedrivePolicy?.deadLetterTargetArn).toBe("arn:aws:sqs:us-east-1:000000000000:Other");
    expect(second?.properties.RedrivePolicy?.deadLetterTargetArn).toBe("arn:aws:sqs:us-east-1:000000000000:jobs");
  });
});
