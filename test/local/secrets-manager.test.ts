import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { afterEach, expect, test } from "vitest";
import { secretKind, startSecretsManager } from "../../local/aws/secrets-manager.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:station-AbC123";
const startedAt = Date.UTC(2025, 0, 6);

async function withSecret() {
  let nowMs = startedAt;
  const service = await startSecretsManager({
    secrets: [{ name: "station", arn, value: '{"key":"one"}' }],
    now: () => nowMs,
  });
  cleanups.push(service.close);
  const client = new SecretsManagerClient({
    endpoint: service.url,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  cleanups.push(async () => client.destroy());
  return {
    ...service,
    client,
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

test.each(["station", arn, arn.slice(0, -7)])("a secret is found as %s", async (SecretId) => {
  const { client } = await withSecret();
  const answer = await client.send(new GetSecretValueCommand({ SecretId }));
  expect(answer).toMatchObject({
    ARN: arn,
    Name: "station",
    SecretString: '{"key":"one"}',
    VersionStages: ["AWSCURRENT"],
    CreatedDate: new Date(startedAt),
  });
});

test("a secret, a version or an operation that does not exist is AWS's error", async () => {
  const { client, url } = await withSecret();
  await expect(client.send(new GetSecretValueCommand({ SecretId: "other" }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    $metadata: { httpStatusCode: 400 },
  });
  await expect(
    client.send(new GetSecretValueCommand({ SecretId: "station", VersionStage: "AWSPREVIOUS" })),
  ).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  const unknown = await fetch(url, { method: "POST", headers: { "x-amz-target": "secretsmanager.constructor" } });
  expect(await unknown.json()).toMatchObject({ __type: "UnknownOperationException" });
});

test("bad JSON and bad input are refused", async () => {
  const { client, url } = await withSecret();
  const headers = { "x-amz-target": "secretsmanager.GetSecretValue", "content-type": "application/x-amz-json-1.1" };
  const broken = await fetch(url, { method: "POST", headers, body: "{" });
  expect([broken.status, await broken.json()]).toMatchObject([400, { __type: "SerializationException" }]);
  expect(broken.headers.get("content-type")).toBe("application/x-amz-json-1.1");
  await expect(client.send(new GetSecretValueCommand({ SecretId: "" }))).rejects.toMatchObject({
    name: "ValidationException",
  });
});

test("putting a value makes it the current one and the last one the previous", async () => {
  const { client, advance } = await withSecret();
  advance(60_000);
  for (const SecretString of ["two", "three"]) {
    await client.send(new PutSecretValueCommand({ SecretId: "station", SecretString }));
  }
  const value = async (VersionStage: string) =>
    (await client.send(new GetSecretValueCommand({ SecretId: "station", VersionStage }))).SecretString;
  expect([await value("AWSCURRENT"), await value("AWSPREVIOUS")]).toEqual(["three", "two"]);
  const description = await client.send(new DescribeSecretCommand({ SecretId: "station" }));
  expect(Object.keys(description.VersionIdsToStages ?? {})).toHaveLength(2);
  expect(description.LastChangedDate).toEqual(new Date(startedAt + 60_000));
});

test("putting the same value with the same token again changes nothing, another value is refused", async () => {
  const { client } = await withSecret();
  const put = (SecretString: string) =>
    client.send(
      new PutSecretValueCommand({
        SecretId: "station",
        SecretString,
        ClientRequestToken: "00000000-0000-4000-8000-000000000001",
      }),
    );
  expect((await put("two")).VersionStages).toEqual(["AWSCURRENT"]);
  expect((await put("two")).VersionStages).toEqual(["AWSCURRENT"]);
  await expect(put("other")).rejects.toMatchObject({ name: "ResourceExistsException" });
  const previous = await client.send(new GetSecretValueCommand({ SecretId: "station", VersionStage: "AWSPREVIOUS" }));
  expect(previous.SecretString).toBe('{"key":"one"}');
});

test("listing shows names, not values", async () => {
  const { client } = await withSecret();
  const { SecretList } = await client.send(new ListSecretsCommand({}));
  expect(SecretList).toMatchObject([{ Name: "station", ARN: arn }]);
  expect(JSON.stringify(SecretList)).not.toContain("one");
});

test("Powertools parameters reads a secret as JSON", async () => {
  const { client } = await withSecret();
  const provider = new SecretsProvider({ awsSdkV3Client: client });
  expect(await provider.get("station", { transform: "json" })).toEqual({ key: "one" });
});

test("the template's secret is parsed, a property that cannot be run is refused", () => {
  const properties = {
    Name: "station",
    GenerateSecretString: { SecretStringTemplate: "{}", GenerateStringKey: "internalSecret", PasswordLength: "40" },
  };
  expect(secretKind.properties.parse(properties).GenerateSecretString?.PasswordLength).toBe(40);
  expect(secretKind.properties.safeParse({ ...properties, ReplicaRegions: [] }).success).toBe(false);
});
