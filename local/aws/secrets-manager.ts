import { randomUUID } from "node:crypto";
import { z } from "zod";
import { cfnBoolean, cfnInteger } from "../assembly/cfn-values.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";
import { AwsError, type JsonService, parseInput, startJsonService } from "./json-protocol.ts";

const secretProperties = z.strictObject({
  Name: z.string().optional(),
  Description: z.string().optional(),
  SecretString: z.string().optional(),
  GenerateSecretString: z
    .strictObject({
      SecretStringTemplate: z.string().optional(),
      GenerateStringKey: z.string().optional(),
      PasswordLength: cfnInteger.optional(),
      ExcludeCharacters: z.string().optional(),
      ExcludeLowercase: cfnBoolean.optional(),
      ExcludeNumbers: cfnBoolean.optional(),
      ExcludePunctuation: cfnBoolean.optional(),
      ExcludeUppercase: cfnBoolean.optional(),
      IncludeSpace: cfnBoolean.optional(),
      RequireEachIncludedType: cfnBoolean.optional(),
    })
    .optional(),
});

export type SecretProperties = z.infer<typeof secretProperties>;

export const secretKind = {
  type: "AWS::SecretsManager::Secret",
  properties: secretProperties,
  ignoredProperties: {
    KmsKeyId: "secrets stay in this process's memory, unencrypted",
    Tags: "nothing here reads them",
  },
} satisfies ResourceKind<SecretProperties>;

interface Version {
  id: string;
  value: string;
  createdSeconds: number;
  stages: string[];
}

interface Secret {
  name: string;
  arn: string;
  createdSeconds: number;
  versions: Version[];
}

const secretId = z.object({ SecretId: z.string().min(1) });
const getInput = secretId.extend({ VersionId: z.string().optional(), VersionStage: z.string().optional() });
const putInput = secretId.extend({ SecretString: z.string(), ClientRequestToken: z.string().optional() });

/**
 * Serves GetSecretValue, DescribeSecret, ListSecrets and PutSecretValue on 127.0.0.1. A secret is found by its name, its
 * ARN, or its ARN without the random suffix.
 */
export function startSecretsManager(options: {
  secrets: { name: string; arn: string; value: string }[];
  now: () => number;
  /** 0 or absent: any free port. */
  port?: number;
}): Promise<JsonService> {
  const nowSeconds = () => Math.floor(options.now() / 1000);
  const secrets: Secret[] = options.secrets.map(({ name, arn, value }) => ({
    name,
    arn,
    createdSeconds: nowSeconds(),
    versions: [{ id: randomUUID(), value, createdSeconds: nowSeconds(), stages: ["AWSCURRENT"] }],
  }));

  const find = (id: string): Secret => {
    const secret = secrets.find(({ name, arn }) => id === name || id === arn || id === arn.replace(/-\w{6}$/, ""));
    if (secret === undefined) {
      throw new AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    }
    return secret;
  };

  const getSecretValue = async (input: unknown) => getValue(find, parseInput(getInput, input));
  const describeSecret = async (input: unknown) => describe(find(parseInput(secretId, input).SecretId));
  const listSecrets = async () => ({ SecretList: secrets.map(describe) });
  const putSecretValue = async (input: unknown) => putValue(find, parseInput(putInput, input), nowSeconds());

  return startJsonService({
    targetPrefix: "secretsmanager",
    ...(options.port === undefined ? {} : { port: options.port }),
    operations: {
      GetSecretValue: getSecretValue,
      DescribeSecret: describeSecret,
      ListSecrets: listSecrets,
      PutSecretValue: putSecretValue,
    },
  });
}

function getValue(find: (id: string) => Secret, input: z.infer<typeof getInput>) {
  const secret = find(input.SecretId);
  const stage = input.VersionStage ?? (input.VersionId === undefined ? "AWSCURRENT" : undefined);
  const version = secret.versions.find(
    ({ id, stages }) =>
      (input.VersionId === undefined || id === input.VersionId) && (stage === undefined || stages.includes(stage)),
  );
  if (version === undefined) {
    const wanted = stage === undefined ? `VersionId: ${input.VersionId}` : `staging label: ${stage}`;
    throw new AwsError(
      "ResourceNotFoundException",
      `Secrets Manager can't find the specified secret value for ${wanted}`,
    );
  }
  return {
    ARN: secret.arn,
    Name: secret.name,
    VersionId: version.id,
    SecretString: version.value,
    VersionStages: version.stages,
    CreatedDate: version.createdSeconds,
  };
}

function putValue(find: (id: string) => Secret, input: z.infer<typeof putInput>, createdSeconds: number) {
  const secret = find(input.SecretId);
  const id = input.ClientRequestToken ?? randomUUID();
  const existing = secret.versions.find((version) => version.id === id);
  if (existing !== undefined && existing.value !== input.SecretString) {
    throw new AwsError("ResourceExistsException", `A version ${id} of ${secret.name} exists with another value.`);
  }
  if (existing === undefined) {
    for (const version of secret.versions) {
      version.stages = version.stages.includes("AWSCURRENT") ? ["AWSPREVIOUS"] : [];
    }
    // A version without a label is deprecated, and AWS deletes it.
    secret.versions = secret.versions.filter(({ stages }) => stages.length > 0);
    secret.versions.push({ id, value: input.SecretString, createdSeconds, stages: ["AWSCURRENT"] });
  }
  const stages = secret.versions.find((version) => version.id === id)?.stages ?? [];
  return { ARN: secret.arn, Name: secret.name, VersionId: id, VersionStages: stages };
}

function describe(secret: Secret) {
  return {
    ARN: secret.arn,
    Name: secret.name,
    CreatedDate: secret.createdSeconds,
    LastChangedDate: Math.max(...secret.versions.map(({ createdSeconds }) => createdSeconds)),
    VersionIdsToStages: Object.fromEntries(secret.versions.map(({ id, stages }) => [id, stages])),
  };
}
