import { paginateScan } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { z } from "zod";
import type { AnnouncementRecord } from "../../lambdas/core/announcement.ts";
import { type LedgerRecord, ledgerTag } from "../../lambdas/core/ledger.ts";
import { createAnnouncementLedger } from "../../lambdas/runtime/announcement-ledger.ts";
import { createMailLedger, ledgerKeptDays } from "../../lambdas/runtime/mail-ledger.ts";
import { expiryAfter } from "../../lambdas/runtime/state-table.ts";
import { concurrently } from "../concurrently.ts";
import type { Target } from "../target.ts";

/** A record of either ledger. */
export type Found =
  | { kind: "mail"; record: LedgerRecord; mails: number }
  | { kind: "announcement"; record: AnnouncementRecord };

const pointer = z.object({ mails: z.int() });
const scanned = z.object({ pk: z.string(), sk: z.string() });
const prefix = "ledger#";

/** The record of a business key, whichever ledger it is in. */
export async function findRecord({ table, now }: Target, key: string): Promise<Found | undefined> {
  const mail = await createMailLedger({ table, now }).read(key);
  if (mail) {
    const tagged = await table.get({ pk: `ledger-tag#${ledgerTag(key)}`, sk: "mail" });
    return { kind: "mail", record: mail, mails: tagged ? pointer.parse(tagged).mails : 1 };
  }
  const announcement = await createAnnouncementLedger({ table, now }).read(key);
  return announcement && { kind: "announcement", record: announcement };
}

/** All records in a state. Reads the whole table, page by page: for operators, never for functions. */
export async function findRecords(target: Target, status: string): Promise<Found[]> {
  const pages = paginateScan(
    { client: target.dynamodb },
    {
      TableName: target.tableName,
      FilterExpression: "begins_with(pk, :prefix) AND #status = :status",
      ProjectionExpression: "pk, sk",
      ExpressionAttributeNames: { "#status": "status" },
      ExpressionAttributeValues: { ":prefix": { S: prefix }, ":status": { S: status } },
    },
  );
  const keys: string[] = [];
  for await (const { Items = [] } of pages)
    keys.push(...Items.map((item) => scanned.parse(unmarshall(item)).pk.slice(prefix.length)));
  const found = await concurrently(keys, 10, (key) => findRecord(target, key));
  return found.flatMap((each) => each ?? []);
}

/** Writes the changes unless the record's state is another by now; false then. */
export async function changeRecord(
  { table, now }: Target,
  { kind, record }: Found,
  changes: Record<string, unknown>,
): Promise<boolean> {
  const fields = Object.entries({ ...changes, expiresAt: expiryAfter(now(), ledgerKeptDays) });
  const sets = fields.map(([name]) => `#${name} = :${name}`);
  const updated = await table.update(
    { pk: prefix + record.key, sk: kind },
    {
      // Whoever read the announcement before must notice.
      expression: `SET ${[...sets, ...(kind === "announcement" ? ["version = version + :one"] : [])].join(", ")}`,
      names: Object.fromEntries([["#status", "status"], ...fields.map(([name]) => [`#${name}`, name])]),
      values: {
        ":was": record.status,
        ...(kind === "announcement" ? { ":one": 1 } : {}),
        ...Object.fromEntries(fields.map(([name, value]) => [`:${name}`, value])),
      },
    },
    "#status = :was",
  );
  return updated !== undefined;
}
