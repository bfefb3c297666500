import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { tableKeys } from "../core/names.ts";
import { patience } from "./patience.ts";

export interface ItemKey {
  pk: string;
  sk: string;
}

export type Item = Record<string, unknown>;

/** A condition or change in DynamoDB's expression language, with its `:values` and `#names`. */
interface Expression {
  expression: string;
  values?: Item;
  names?: Record<string, string>;
}

/**
 * The station's shared memory: single items, changed under conditions. Every change answers whether its condition
 * held; everything else that goes wrong is thrown.
 */
export interface StateTable {
  get(key: ItemKey): Promise<Item | undefined>;
  /** Writes the whole item; false when the condition does not hold. */
  put(key: ItemKey, item: Item, condition?: Expression): Promise<boolean>;
  /** Writes a new item; false when there is one already. One past its expiry counts as none. */
  create(key: ItemKey, item: Item): Promise<boolean>;
  /** The item after the change; undefined when the condition does not hold. */
  update(key: ItemKey, change: Expression, condition?: string): Promise<Item | undefined>;
  remove(key: ItemKey): Promise<void>;
}

/** @param now epoch milliseconds; an item past its expiry is treated as gone, since DynamoDB deletes late. */
export function createStateTable(
  tableName: string,
  now: () => number,
  client = new DynamoDBClient(patience),
): StateTable {
  const keyOf = ({ pk, sk }: ItemKey) => marshall({ [tableKeys.partition]: pk, [tableKeys.sort]: sk });
  const parameters = ({ values, names }: Omit<Expression, "expression">) => ({
    ...(values ? { ExpressionAttributeValues: marshall(values, { removeUndefinedValues: true }) } : {}),
    ...(names ? { ExpressionAttributeNames: names } : {}),
  });
  const put: StateTable["put"] = async (key, item, condition) => {
    const written = await whenConditionHolds(
      client.send(
        new PutItemCommand({
          TableName: tableName,
          Item: { ...marshall(item, { removeUndefinedValues: true }), ...keyOf(key) },
          ...(condition ? { ConditionExpression: condition.expression, ...parameters(condition) } : {}),
        }),
      ),
    );
    return written !== undefined;
  };
  return {
    put,
    create: (key, item) =>
      put(key, item, {
        expression: "attribute_not_exists(#key) OR #expiry <= :now",
        names: { "#key": tableKeys.partition, "#expiry": tableKeys.expiry },
        values: { ":now": Math.floor(now() / 1000) },
      }),
    async get(key) {
      const { Item: found } = await client.send(
        new GetItemCommand({ TableName: tableName, Key: keyOf(key), ConsistentRead: true }),
      );
      if (!found) return undefined;
      const item = unmarshall(found);
      const expiry = item[tableKeys.expiry];
      return typeof expiry === "number" && expiry * 1000 <= now() ? undefined : item;
    },
    async update(key, change, condition) {
      const updated = await whenConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: tableName,
            Key: keyOf(key),
            UpdateExpression: change.expression,
            ...parameters(change),
            ...(condition ? { ConditionExpression: condition } : {}),
            ReturnValues: "ALL_NEW",
          }),
        ),
      );
      return updated ? unmarshall(updated.Attributes ?? {}) : undefined;
    },
    async remove(key) {
      await client.send(new DeleteItemCommand({ TableName: tableName, Key: keyOf(key) }));
    },
  };
}

/** Expiry in whole seconds, as the table's TTL wants it. */
export const expiryAfter = (nowMs: number, days: number): number => Math.ceil(nowMs / 1000) + days * 86_400;

async function whenConditionHolds<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
}
