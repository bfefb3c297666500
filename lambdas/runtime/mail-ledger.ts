import { z } from "zod";
import { hashPayload, type LedgerRecord, type LedgerStatus, nextLedgerStep } from "../core/ledger.ts";
import { Deferred, PermanentFailure } from "../core/outcome.ts";
import { IdempotencyMismatch } from "../core/provider-failure.ts";
import { log } from "./logger.ts";
import { signal } from "./metrics.ts";
import { expiryAfter, type StateTable } from "./state-table.ts";

/** How long a record outlives its last change: longer than any message can come back. */
const keptDays = 90;

/** One send under one business key. */
export interface Send {
  /** Such as `welcome/{subscription}`; also Resend's idempotency key, so at most 256 characters. */
  key: string;
  /** Exactly what goes to the provider; must come out the same on every attempt. */
  payload: unknown;
  /** Waits for permission to call; nothing is marked as attempted before it is given. */
  acquire: () => Promise<void>;
  /** The call itself, under the given idempotency key; answers the provider's id of each mail, null for a refused one. */
  call: (idempotencyKey: string) => Promise<(string | null)[]>;
}

export type SendResult =
  | { outcome: "accepted" | "already-sent"; providerIds: (string | null)[] }
  | { outcome: "parked"; reason: string };

/** The promise that at most one send per business key is ever accepted; see `core/ledger.ts` for the rules. */
export interface MailLedger {
  send(send: Send): Promise<SendResult>;
  read(key: string): Promise<LedgerRecord | undefined>;
}

const stored = z.object({
  key: z.string(),
  status: z.enum(["claimed", "sending", "accepted", "delivered", "bounced", "complained", "refused", "parked"]),
  payloadHash: z.string(),
  firstAttemptMs: z.number().nullable(),
  providerIds: z.array(z.string().nullable()),
  reason: z.string().nullable(),
}) satisfies z.ZodType<LedgerRecord>;

const unsettled = "#status IN (:claimed, :sending)";
const unsettledValues = { ":claimed": "claimed", ":sending": "sending" };

export function createMailLedger({ table, now }: { table: StateTable; now: () => number }): MailLedger {
  const itemKey = (key: string) => ({ pk: `ledger#${key}`, sk: "mail" });

  const read = async (key: string): Promise<LedgerRecord | undefined> => {
    const item = await table.get(itemKey(key));
    return item ? stored.parse(item) : undefined;
  };

  const claim = async (key: string, payloadHash: string): Promise<LedgerRecord> => {
    const record: LedgerRecord = {
      key,
      status: "claimed",
      payloadHash,
      firstAttemptMs: null,
      providerIds: [],
      reason: null,
    };
    const claimed = await table.put(
      itemKey(key),
      { ...record, expiresAt: expiryAfter(now(), keptDays) },
      { expression: "attribute_not_exists(pk)" },
    );
    return claimed ? record : ((await read(key)) ?? record);
  };

  /** Moves an unsettled record on; false when somebody else settled it meanwhile. */
  const move = async (key: string, status: LedgerStatus, fields: Partial<LedgerRecord>): Promise<boolean> => {
    const changes: Record<string, unknown> = { ...fields, expiresAt: expiryAfter(now(), keptDays) };
    const updated = await table.update(
      itemKey(key),
      {
        expression: `SET #status = :status, ${Object.keys(changes)
          .map((name) => `#${name} = :${name}`)
          .join(", ")}`,
        names: { "#status": "status", ...Object.fromEntries(Object.keys(changes).map((name) => [`#${name}`, name])) },
        values: {
          ...unsettledValues,
          ":status": status,
          ...Object.fromEntries(Object.entries(changes).map(([name, value]) => [`:${name}`, value])),
        },
      },
      unsettled,
    );
    return updated !== undefined;
  };

  const park = async (key: string, reason: string): Promise<SendResult> => {
    await move(key, "parked", { reason });
    signal("mail-parked", { ledgerKey: key, reason });
    return { outcome: "parked", reason };
  };

  const attempt = async (record: LedgerRecord, { key, payload, acquire, call }: Send): Promise<SendResult> => {
    await acquire();
    const firstAttemptMs = record.firstAttemptMs ?? now();
    const payloadHash = hashPayload(payload);
    if (!(await move(key, "sending", { firstAttemptMs, payloadHash }))) return settledBy(await read(key), key);
    try {
      const providerIds = await call(key);
      await move(key, "accepted", { providerIds });
      log.info("mail.accepted", { ledgerKey: key, providerIds: providerIds.slice(0, 3), mails: providerIds.length });
      return { outcome: "accepted", providerIds };
    } catch (error) {
      // The provider said that it did not take the mail, so this attempt may be forgotten - but not an earlier one.
      if (error instanceof Deferred && record.firstAttemptMs === null)
        await move(key, "claimed", { firstAttemptMs: null });
      if (error instanceof IdempotencyMismatch) return park(key, error.message);
      if (error instanceof PermanentFailure) await move(key, "refused", { reason: error.message });
      throw error;
    }
  };

  const settledBy = (record: LedgerRecord | undefined, key: string): SendResult => {
    if (!record) throw new Error(`The ledger record ${key} vanished between two steps of one send; try again.`);
    if (record.status === "refused") throw new PermanentFailure(`${key} was refused before: ${record.reason}`);
    if (record.status === "parked") return { outcome: "parked", reason: record.reason ?? "parked" };
    return { outcome: "already-sent", providerIds: record.providerIds };
  };

  return {
    read,
    async send(send) {
      const payloadHash = hashPayload(send.payload);
      const record = (await read(send.key)) ?? (await claim(send.key, payloadHash));
      const step = nextLedgerStep(record, { payloadHash, nowMs: now() });
      switch (step.kind) {
        case "send":
          return attempt(record, send);
        case "park":
          return park(send.key, step.reason);
        default:
          return settledBy(record, send.key);
      }
    },
  };
}
