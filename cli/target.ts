import { userInfo } from "node:os";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SFNClient } from "@aws-sdk/client-sfn";
import { GetQueueUrlCommand, QueueDoesNotExist, SQSClient } from "@aws-sdk/client-sqs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { z } from "zod";
import { deadLetterNameOf, physicalName, workerName } from "../lambdas/core/names.ts";
import { createStateTable, type StateTable } from "../lambdas/runtime/state-table.ts";
import { providers } from "../registry/providers.ts";
import { type QueueName, queues } from "../registry/queues.ts";
import { type SecretName, secrets } from "../registry/secrets.ts";
import { config } from "../station.config.ts";
import { findLocalStation, type LocalStation } from "./local-station.ts";
import { OperatorError } from "./operator-error.ts";

/** A station to be operated, on this machine or on AWS: no verb knows which, but for those that only exist locally. */
export interface Target {
  /** For people, such as `stage prod on AWS (eu-central-1)`. */
  description: string;
  stage: string;
  /** The station's time in epoch milliseconds: on this machine it may have been moved forward. */
  now: () => number;
  sqs: SQSClient;
  dynamodb: DynamoDBClient;
  stepFunctions: SFNClient;
  lambda: LambdaClient;
  tableName: string;
  table: StateTable;
  queueUrl(queue: QueueName): Promise<string>;
  deadLetterUrl(queue: QueueName): Promise<string>;
  /** The project's address, without `/rest/v1`. */
  supabaseUrl: string;
  /** Where the station's own links lead. */
  publicApiUrl(): Promise<string>;
  /** One of the station's secrets; throws OperatorError when it is missing. */
  secret(name: SecretName): Promise<string>;
  /** Who is at work, for the audit record: the caller's ARN on AWS, the user of this machine otherwise. */
  operator(): Promise<string>;
  /** What only a station on this machine can do; undefined on AWS. */
  local: LocalStation | undefined;
  close(): void;
}

/** A connection that is to a station on this machine where `endpoints` is given. */
interface Connection {
  region?: string;
  endpoints?: LocalStation["endpoints"];
}

const localAccess = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

/** The station of that stage in the AWS account and region that the usual environment or profile names. */
export async function awsTarget(stage: string): Promise<Target> {
  const common = connect({});
  const region = await common.sqs.config.region().catch((error: unknown) => {
    throw new OperatorError("No AWS region is set. Set AWS_REGION, or name one in the profile.", { cause: error });
  });
  const sts = new STSClient({ maxAttempts: 1, requestHandler: { connectionTimeout: 2000, requestTimeout: 2000 } });
  return {
    ...targetOver(common, stage, () => Date.now()),
    description: `stage ${stage} on AWS (${region})`,
    // The variable that tells functions too where the project is, when it is not the config's.
    supabaseUrl: process.env[providers.supabase.baseUrlVariable] || config.supabaseUrl,
    async publicApiUrl() {
      const FunctionName = physicalName(stage, workerName("subscription"));
      const { Environment } = await common.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      const url = Environment?.Variables?.PUBLIC_API_URL;
      if (!url) throw new OperatorError(`The function ${FunctionName} does not know the API's address: deploy again.`);
      return url;
    },
    // Nobody is kept from work by not being able to say who they are.
    operator: async () =>
      (await sts.send(new GetCallerIdentityCommand({})).catch(() => undefined))?.Arn ?? userInfo().username,
    local: undefined,
    close() {
      closeAll(common);
      sts.destroy();
    },
  };
}

/** The station that `npm start` keeps in this home. */
export async function localTarget(home: string): Promise<Target> {
  const local = await findLocalStation(home);
  const { now: stationTime } = z.object({ now: z.string() }).parse(await local.ask("GET", "/report"));
  const aheadMs = Date.parse(stationTime) - Date.now();
  const common = connect({ endpoints: local.endpoints });
  const { TableNames = [] } = await common.dynamodb.send(new ListTablesCommand({}));
  const stateTable = physicalName("", "state");
  const stage = TableNames.find((name) => name.endsWith(stateTable))?.slice(0, -stateTable.length);
  if (stage === undefined) throw new OperatorError("The station on this machine has no state table.");
  return {
    ...targetOver(common, stage, () => Date.now() + aheadMs),
    description: `the station on this machine (${local.api})`,
    supabaseUrl: local.endpoints.supabase,
    publicApiUrl: async () => config.apiUrl ?? local.api,
    operator: async () => userInfo().username,
    local,
    close: () => closeAll(common),
  };
}

/** The station on this machine behind a target, for verbs that AWS has no call for. */
export function localOnly(target: Target, verb: string): LocalStation {
  if (target.local) return target.local;
  throw new OperatorError(`"flux ${verb}" works only for the station on this machine: AWS has no call for it.`);
}

type Clients = Pick<Target, "sqs" | "dynamodb" | "stepFunctions" | "lambda"> & { secretsManager: SecretsManagerClient };

function connect({ endpoints }: Connection): Clients {
  const at = (endpoint: string | undefined) => (endpoints ? { ...localAccess, ...(endpoint ? { endpoint } : {}) } : {});
  return {
    sqs: new SQSClient(at(endpoints?.sqs)),
    dynamodb: new DynamoDBClient(at(endpoints?.dynamodb)),
    stepFunctions: new SFNClient(at(endpoints?.stepfunctions)),
    lambda: new LambdaClient(at(endpoints?.lambda)),
    secretsManager: new SecretsManagerClient(at(endpoints?.secretsmanager)),
  };
}

function closeAll({ sqs, dynamodb, stepFunctions, lambda, secretsManager }: Clients): void {
  for (const client of [sqs, dynamodb, stepFunctions, lambda, secretsManager]) client.destroy();
}

function targetOver(clients: Clients, stage: string, now: () => number) {
  const tableName = physicalName(stage, "state");
  const nameOf = (queue: QueueName) => physicalName(stage, queue) + (queues[queue].fifo ? ".fifo" : "");
  const urls = new Map<string, Promise<string>>();
  const urlOf = (name: string): Promise<string> => {
    const known = urls.get(name) ?? findUrl(clients.sqs, name);
    urls.set(name, known);
    return known;
  };
  return {
    ...clients,
    stage,
    now,
    tableName,
    table: createStateTable(tableName, now, clients.dynamodb),
    queueUrl: (queue: QueueName) => urlOf(nameOf(queue)),
    deadLetterUrl: (queue: QueueName) => urlOf(deadLetterNameOf(nameOf(queue))),
    async secret(name: SecretName) {
      const SecretId = physicalName(stage, "station");
      const { SecretString = "{}" } = await clients.secretsManager.send(new GetSecretValueCommand({ SecretId }));
      const { [name]: value } = z.record(z.string(), z.string()).parse(JSON.parse(SecretString));
      if (!value) throw new OperatorError(`The secret ${SecretId} has no ${name}: ${secrets[name].source}`);
      return value;
    },
  };
}

async function findUrl(sqs: SQSClient, name: string): Promise<string> {
  try {
    const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    return QueueUrl;
  } catch (error) {
    if (!(error instanceof QueueDoesNotExist)) throw error;
    throw new OperatorError(
      `There is no queue ${name}. Is the stage deployed here? Look at the stage's name, the account and the region.`,
      { cause: error },
    );
  }
}
