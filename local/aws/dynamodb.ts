import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import { z } from "zod";
import { cfnBoolean, cfnInteger } from "../assembly/cfn-values.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";
import { closeServer, listenLocally } from "./json-protocol.ts";

const keySchema = z
  .array(z.strictObject({ AttributeName: z.string(), KeyType: z.enum(["HASH", "RANGE"]) }))
  .min(1)
  .max(2);

const throughput = z.strictObject({ ReadCapacityUnits: cfnInteger, WriteCapacityUnits: cfnInteger });

const tableProperties = z.strictObject({
  TableName: z.string().optional(),
  KeySchema: keySchema,
  AttributeDefinitions: z.array(z.strictObject({ AttributeName: z.string(), AttributeType: z.enum(["S", "N", "B"]) })),
  BillingMode: z.enum(["PAY_PER_REQUEST", "PROVISIONED"]).default("PROVISIONED"),
  ProvisionedThroughput: throughput.optional(),
  GlobalSecondaryIndexes: z
    .array(
      z.strictObject({
        IndexName: z.string(),
        KeySchema: keySchema,
        Projection: z.strictObject({
          ProjectionType: z.enum(["ALL", "KEYS_ONLY", "INCLUDE"]),
          NonKeyAttributes: z.array(z.string()).optional(),
        }),
        ProvisionedThroughput: throughput.optional(),
      }),
    )
    .optional(),
  TimeToLiveSpecification: z.strictObject({ AttributeName: z.string().optional(), Enabled: cfnBoolean }).optional(),
});

export type TableProperties = z.infer<typeof tableProperties>;

export const tableKind = {
  type: "AWS::DynamoDB::Table",
  properties: tableProperties,
  ignoredProperties: {
    ContributorInsightsSpecification: "the table lives as long as the station; nothing watches it",
    DeletionProtectionEnabled: "the table lives as long as the station",
    OnDemandThroughput: "no capacity is metered here",
    PointInTimeRecoverySpecification: "the table lives as long as the station",
    SSESpecification: "items stay in this process's memory, unencrypted",
    TableClass: "a matter of price only",
    Tags: "nothing here reads them",
  },
} satisfies ResourceKind<TableProperties>;

export interface DynamoDb {
  url: string;
  close: () => Promise<void>;
}

/**
 * Starts DynamoDB on 127.0.0.1 with these tables, empty. Items whose time to live is over stay, as they do on AWS for
 * up to some days: whoever reads them has to check. `ReturnValuesOnConditionCheckFailure` brings no item back.
 */
export async function startDynamoDb(options: {
  tables: { name: string; properties: TableProperties }[];
  /** 0 or absent: any free port. */
  port?: number;
}): Promise<DynamoDb> {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  surviveBrokenRequests(server);
  const url = `http://127.0.0.1:${await listenLocally(server, options.port ?? 0)}`;
  const close = () => closeServer(server);

  const client = new DynamoDBClient({
    endpoint: url,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  try {
    for (const { name, properties } of options.tables) {
      const { TimeToLiveSpecification: _, ...schema } = properties;
      await client.send(new CreateTableCommand({ ...schema, TableName: name })).catch((error: unknown) => {
        throw new Error(`table ${name} cannot be created: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        });
      });
    }
  } catch (error) {
    await close();
    throw error;
  } finally {
    client.destroy();
  }
  return { url, close };
}

/** dynalite throws out of the process when a client goes away in mid-request, as a killed function does. */
function surviveBrokenRequests(server: ReturnType<typeof dynalite>): void {
  server.on("request", (request) => {
    request.removeAllListeners("error");
    request.on("error", () => {});
  });
}
