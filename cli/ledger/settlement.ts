import type { AnnouncementRecord } from "../../lambdas/core/announcement.ts";
import { idempotencyMemoryMs, type LedgerRecord, nextLedgerStep } from "../../lambdas/core/ledger.ts";

/** What an operator found out about something that is parked. */
export type Verdict = "sent" | "unsent" | "refused";

/** Fields to write over a record, with what the operator has to know about it; or why it cannot be settled. */
export type Settlement<R> = { changes: Partial<R>; advice: string } | { refusal: string };

/** Stands for the provider's id of a mail that was found to be sent: whoever counts ids counts it as sent. */
const foundByOperator = "settled-by-operator";

/** @param mails how many mails the record stands for: one, or a batch. */
export function settleMail(
  record: LedgerRecord,
  verdict: Verdict,
  { mails, note, nowMs }: { mails: number; note: string; nowMs: number },
): Settlement<LedgerRecord> {
  const { status, firstAttemptMs } = record;
  const isParked = ["park", "parked"].includes(nextLedgerStep(record, { payloadHash: record.payloadHash, nowMs }).kind);
  // What the provider refused was not sent, and may be sent when its reason is gone.
  if (!isParked && !(status === "refused" && verdict === "unsent"))
    return {
      refusal:
        status === "claimed" || status === "sending"
          ? `it is ${status}: an attempt may still be repeated. Redrive its message first; what stays unclear is parked.`
          : `it is ${status}, which needs no settling.`,
    };
  switch (verdict) {
    case "sent":
      return {
        changes: { status: "accepted", providerIds: Array<string>(mails).fill(foundByOperator), reason: note },
        advice: "It will not be sent again.",
      };
    case "refused":
      return { changes: { status: "refused", reason: note }, advice: "It will never be sent." };
    case "unsent": {
      const rememberedUntilMs = (firstAttemptMs ?? 0) + idempotencyMemoryMs + 3_600_000;
      return {
        changes: { status: "claimed", firstAttemptMs: null, attempts: record.attempts + 1, reason: note },
        advice:
          nowMs < rememberedUntilMs
            ? `It may be sent again. Until ${new Date(rememberedUntilMs).toISOString()} Resend remembers the first attempt: sent before then with other content it is parked again.`
            : "It may be sent again.",
      };
    }
  }
}

/** @param messageId Discord's id of the message, where the operator found it: later changes can then follow. */
export function settleAnnouncement(
  { status }: AnnouncementRecord,
  verdict: Verdict,
  { messageId, note }: { messageId: string | null; note: string },
): Settlement<AnnouncementRecord> {
  if (status !== "parked" && !(status === "refused" && verdict === "unsent"))
    return {
      refusal:
        status === "claimed" || status === "sending"
          ? `it is ${status}: redrive its message first; what stays unclear is parked.`
          : `it is ${status}, which needs no settling.`,
    };
  switch (verdict) {
    case "sent":
      return {
        changes: { status: "accepted", messageId, attemptedMs: null, reason: note },
        advice: messageId
          ? "It will not be posted again; changes are written into that message."
          : "It will not be posted again, nor changed: for that, settle it with --message-id.",
      };
    case "refused":
      return { changes: { status: "refused", reason: note }, advice: "It stays unposted unless its content changes." };
    case "unsent":
      return {
        changes: { status: "claimed", messageId: null, attemptedMs: null, reason: note },
        advice: "It may be posted again.",
      };
  }
}
