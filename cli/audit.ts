import { randomUUID } from "node:crypto";
import { QueryCommand } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { z } from "zod";
import { expiryAfter } from "../lambdas/runtime/state-table.ts";
import type { Target } from "./target.ts";

/** Longer than a year, so that last year's incident can be compared. */
const keptDays = 400;

const partition = "audit";

const action = z.object({
  at: z.string(),
  by: z.string(),
  /** As it was called: `dlq redrive`. */
  verb: z.string(),
  /** What it was asked for, as the operator gave it. */
  given: z.record(z.string(), z.unknown()),
  /** What came of it; null while it is under way or when it died. */
  counts: z.record(z.string(), z.int()).nullable(),
  error: z.string().nullable(),
});
export type Action = z.infer<typeof action>;

/**
 * Carries out what changes something and keeps a record of it: begun before, so that an action that dies is known too,
 * and completed with what came of it.
 */
export async function audited<C extends Record<string, number>>(
  target: Target,
  { verb, given }: Pick<Action, "verb" | "given">,
  work: () => Promise<C>,
): Promise<C> {
  const at = new Date(target.now()).toISOString();
  const key = { pk: partition, sk: `${at}#${randomUUID().slice(0, 8)}` };
  const begun: Action = { at, by: await target.operator(), verb, given, counts: null, error: null };
  const write = (changes: Partial<Action>) =>
    target.table.put(key, { ...begun, ...changes, expiresAt: expiryAfter(target.now(), keptDays) });
  await write({});
  try {
    const counts = await work();
    await write({ counts });
    return counts;
  } catch (error) {
    await write({ error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

/** The latest actions of verbs of these groups (`dlq`, `ledger`), newest first. */
export async function readActions(target: Target, groups: readonly string[], limit: number): Promise<Action[]> {
  const found: Action[] = [];
  let from: QueryCommand["input"]["ExclusiveStartKey"];
  do {
    const { Items = [], LastEvaluatedKey } = await target.dynamodb.send(
      new QueryCommand({
        TableName: target.tableName,
        KeyConditionExpression: "pk = :pk",
        FilterExpression: groups.map((_, index) => `begins_with(verb, :group${index})`).join(" OR "),
        ExpressionAttributeValues: {
          ":pk": { S: partition },
          ...Object.fromEntries(groups.map((group, index) => [`:group${index}`, { S: group }])),
        },
        ScanIndexForward: false,
        ...(from ? { ExclusiveStartKey: from } : {}),
      }),
    );
    found.push(...Items.map((item) => action.parse(unmarshall(item))));
    from = LastEvaluatedKey;
  } while (from && found.length < limit);
  return found.slice(0, limit);
}
