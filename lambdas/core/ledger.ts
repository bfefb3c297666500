import { createHash } from "node:crypto";
import { messageId } from "./messages.ts";

/** States of one business key. `parked` waits for a webhook or an operator; `refused` will never be sent. */
export type LedgerStatus =
  | "claimed"
  | "sending"
  | "accepted"
  | "delivered"
  | "bounced"
  | "complained"
  | "refused"
  | "parked";

export interface LedgerRecord {
  key: string;
  status: LedgerStatus;
  /** SHA-256 of the rendered payload as it was before the first attempt. */
  payloadHash: string;
  /** When the first call was made; Resend remembers its idempotency key for 24 h from here. */
  firstAttemptMs: number | null;
  /** How many calls were begun; an attempt that finds another number afterwards was not the only one. */
  attempts: number;
  /** The provider's id of each mail, in order; null for one that it refused. */
  providerIds: (string | null)[];
  reason: string | null;
}

/** Resend keeps idempotency keys for 24 h; an hour is left for clocks, queues and slow calls. */
export const idempotencyMemoryMs = 23 * 3_600_000;

export type LedgerStep =
  | { kind: "send" }
  | { kind: "already-sent"; record: LedgerRecord }
  | { kind: "refused"; record: LedgerRecord }
  | { kind: "park"; reason: string }
  | { kind: "parked"; record: LedgerRecord };

/**
 * What may happen to a business key now. At most one send per key is ever accepted: an attempt whose end is unknown
 * is only repeated byte for byte while the provider still recognises it, and held back after that.
 */
export function nextLedgerStep(
  record: LedgerRecord,
  { payloadHash, nowMs }: { payloadHash: string; nowMs: number },
): LedgerStep {
  switch (record.status) {
    case "accepted":
    case "delivered":
    case "bounced":
    case "complained":
      return { kind: "already-sent", record };
    case "refused":
      return { kind: "refused", record };
    case "parked":
      return { kind: "parked", record };
    case "claimed":
    case "sending":
      if (record.payloadHash !== payloadHash && record.firstAttemptMs !== null)
        return { kind: "park", reason: "today's code renders another mail than the one already attempted" };
      if (record.firstAttemptMs !== null && nowMs - record.firstAttemptMs > idempotencyMemoryMs)
        return {
          kind: "park",
          reason: "an attempt older than the provider's memory may or may not have been accepted",
        };
      return { kind: "send" };
  }
}

/** The tag a mail carries of its key. Tags take letters, digits, `_` and `-` only, so it is the key's hash. */
export const ledgerTag = (key: string): string => messageId("ledger", key);

/** The hash a payload is recognised by. Key order is the order in which the code builds it. */
export function hashPayload(payload: unknown): string {
  return createHash("sha256").update(JSON.stringify(payload)).digest("hex");
}
