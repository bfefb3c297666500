import * as z from "zod";
import { hashPayload, type LedgerRecord, type LedgerStatus, ledgerTag, nextLedgerStep } from "../core/ledger.ts";
import { Deferred, PermanentFailure } from "../core/outcome.ts";
import { IdempotencyMismatch, ProviderMisconfigured } from "../core/provider-failure.ts";
import { type MailFate, replaceableBy } from "../core/resend-event.ts";
import { log } from "./logger.ts";
import { signal } from "./metrics.ts";
import { expiryAfter, type StateTable } from "./state-table.ts";

/** How long a record outlives its last change: longer than any message can come back. */
export const ledgerKeptDays = 90;

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
  /**
   * For a send that is no longer wanted. An attempt whose end nobody knows is parked, since nobody will repeat it; what
   * was never attempted, or is decided, stays as it is.
   */
  giveUp(key: string, reason: string): Promise<"parked" | "suppressed">;
  /**
   * Records what the provider's webhook says of a mail, found by its tag `ledger`; also settles a parked or unanswered
   * send. `batch` for one of several mails under a key: their fates are in the database, by address.
   */
  settle(
    tag: string,
    fate: MailFate,
    providerId: string | null,
  ): Promise<"settled" | "unchanged" | "unknown" | "batch">;
}

const stored = z.object({
  key: z.string(),
  status: z.enum(["claimed", "sending", "accepted", "delivered", "bounced", "complained", "refused", "parked"]),
  payloadHash: z.string(),
  firstAttemptMs: z.number().nullable(),
  attempts: z.int(),
  providerIds: z.array(z.string().nullable()),
  reason: z.string().nullable(),
}) satisfies z.ZodType<LedgerRecord>;

/** Leads from the tag that a mail carries to its record. */
const pointer = z.object({ key: z.string(), mails: z.int() });

const unsettled = "#status IN (:claimed, :sending)";
const unsettledValues = { ":claimed": "claimed", ":sending": "sending" };

export function createMailLedger({ table, now }: { table: StateTable; now: () => number }): MailLedger {
  const itemKey = (key: string) => ({ pk: `ledger#${key}`, sk: "mail" });
  const pointerKey = (tag: string) => ({ pk: `ledger-tag#${tag}`, sk: "mail" });

  const read = async (key: string): Promise<LedgerRecord | undefined> => {
    const item = await table.get(itemKey(key));
    return item ? stored.parse(item) : undefined;
  };

  const claim = async ({ key, payload }: Send, payloadHash: string): Promise<LedgerRecord> => {
    const record: LedgerRecord = {
      key,
      status: "claimed",
      payloadHash,
      firstAttemptMs: null,
      attempts: 0,
      providerIds: [],
      reason: null,
    };
    const expiresAt = expiryAfter(now(), ledgerKeptDays);
    // First, so that no mail leaves that its webhooks could not find.
    await table.put(pointerKey(ledgerTag(key)), { key, mails: Array.isArray(payload) ? payload.length : 1, expiresAt });
    const claimed = await table.create(itemKey(key), { ...record, expiresAt });
    return claimed ? record : ((await read(key)) ?? record);
  };

  /**
   * Moves an unsettled record on; false when somebody else settled it meanwhile. With `attempts`, also when
   * another attempt was begun since.
   */
  const move = async (
    key: string,
    status: LedgerStatus,
    fields: Partial<LedgerRecord>,
    attempts?: number,
  ): Promise<boolean> => {
    const changes: Record<string, unknown> = { ...fields, expiresAt: expiryAfter(now(), ledgerKeptDays) };
    const updated = await table.update(
      itemKey(key),
      {
        expression: `SET #status = :status, ${Object.keys(changes)
          .map((name) => `#${name} = :${name}`)
          .join(", ")}`,
        names: {
          "#status": "status",
          ...Object.fromEntries(Object.keys(changes).map((name) => [`#${name}`, name])),
        },
        values: {
          ...unsettledValues,
          ":status": status,
          ...(attempts === undefined ? {} : { ":known": attempts }),
          ...Object.fromEntries(Object.entries(changes).map(([name, value]) => [`:${name}`, value])),
        },
      },
      attempts === undefined ? unsettled : `${unsettled} AND attempts = :known`,
    );
    return updated !== undefined;
  };

  const park = async (key: string, reason: string): Promise<SendResult> => {
    await move(key, "parked", { reason });
    signal("mail-parked", { ledgerKey: key, reason });
    return { outcome: "parked", reason };
  };

  const attempt = async (record: LedgerRecord, { key, payload, acquire, call }: Send): Promise<SendResult> => {
    const firstAttemptMs = record.firstAttemptMs ?? now();
    const payloadHash = hashPayload(payload);
    const attempts = record.attempts + 1;
    // Lost to another attempt at the same key: what that one recorded decides what may happen now.
    if (!(await move(key, "sending", { firstAttemptMs, payloadHash, attempts }, record.attempts)))
      return send({ key, payload, call, acquire });
    try {
      // Right before the call: whatever came between would arrive at the provider as jitter.
      await acquire();
      const providerIds = await call(key);
      await move(key, "accepted", { providerIds });
      log.info("mail.accepted", { ledgerKey: key, providerIds: providerIds.slice(0, 3), mails: providerIds.length });
      return { outcome: "accepted", providerIds };
    } catch (error) {
      // The provider said that it did not take the mail, so this attempt may be forgotten - but not an earlier one.
      const nothingSent = error instanceof Deferred || error instanceof ProviderMisconfigured;
      if (nothingSent && record.firstAttemptMs === null)
        await move(key, "claimed", { firstAttemptMs: null, attempts: attempts + 1 }, attempts);
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

  const send = async (wanted: Send): Promise<SendResult> => {
    const payloadHash = hashPayload(wanted.payload);
    const record = (await read(wanted.key)) ?? (await claim(wanted, payloadHash));
    const step = nextLedgerStep(record, { payloadHash, nowMs: now() });
    switch (step.kind) {
      case "send":
        return attempt(record, wanted);
      case "park":
        return park(wanted.key, step.reason);
      default:
        return settledBy(record, wanted.key);
    }
  };

  const giveUp: MailLedger["giveUp"] = async (key, reason) => {
    const record = await read(key);
    if (record?.status !== "sending") return "suppressed";
    const { outcome } = await park(key, `${reason}, and an attempt before may or may not have been accepted`);
    return outcome === "parked" ? "parked" : "suppressed";
  };

  const settle: MailLedger["settle"] = async (tag, fate, providerId) => {
    const found = await table.get(pointerKey(tag));
    if (!found) return "unknown";
    const { key, mails } = pointer.parse(found);
    if (mails > 1) return "batch";
    const replaceable = replaceableBy(fate).map((status, index) => [`:old${index}`, status] as const);
    const updated = await table.update(
      itemKey(key),
      {
        expression: "SET #status = :fate, #expiresAt = :expiresAt, #providerIds = :providerIds",
        names: { "#status": "status", "#expiresAt": "expiresAt", "#providerIds": "providerIds" },
        values: {
          ":fate": fate,
          ":expiresAt": expiryAfter(now(), ledgerKeptDays),
          ":providerIds": [providerId],
          ...Object.fromEntries(replaceable),
        },
      },
      `#status IN (${replaceable.map(([name]) => name).join(", ")})`,
    );
    if (updated) log.info("mail.settled", { ledgerKey: key, fate });
    return updated ? "settled" : "unchanged";
  };

  return { read, send, giveUp, settle };
}
