import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createStateTable, type StateTable } from "../../lambdas/runtime/state-table.ts";
import { startDynamoDb } from "../../local/aws/dynamodb.ts";

export const tableName = "state";

export const localAws = {
  region: "us-east-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
};

/** A clock that stands until it is told to go on. */
export function createClock(start = Date.parse("2026-03-02T09:00:00Z")) {
  let at = start;
  return {
    now: () => at,
    set: (ms: number) => {
      at = ms;
    },
    advance: (ms: number) => {
      at += ms;
    },
  };
}

/** The station's table in a real dynalite, as often opened as there are functions that share it. */
export async function startState() {
  const dynamo = await startDynamoDb({
    tables: [
      {
        name: tableName,
        properties: {
          KeySchema: [
            { AttributeName: "pk", KeyType: "HASH" },
            { AttributeName: "sk", KeyType: "RANGE" },
          ],
          AttributeDefinitions: [
            { AttributeName: "pk", AttributeType: "S" },
            { AttributeName: "sk", AttributeType: "S" },
          ],
          BillingMode: "PAY_PER_REQUEST",
        },
      },
    ],
  });
  const clients: DynamoDBClient[] = [];
  return {
    url: dynamo.url,
    open(now: () => number): StateTable {
      const client = new DynamoDBClient({ ...localAws, endpoint: dynamo.url });
      clients.push(client);
      return createStateTable(tableName, now, client);
    },
    close: async () => {
      for (const client of clients) client.destroy();
      await dynamo.close();
    },
  };
}

/** A table of which every operation fails, as when DynamoDB throttles. */
export const brokenTable: StateTable = {
  get: () => Promise.reject(new Error("throttled")),
  put: () => Promise.reject(new Error("throttled")),
  create: () => Promise.reject(new Error("throttled")),
  update: () => Promise.reject(new Error("throttled")),
  remove: () => Promise.reject(new Error("throttled")),
};
