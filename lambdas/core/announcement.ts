/**
 * States of one announcement. `parked` waits for an operator: nobody knows whether the message was posted. `refused`
 * stays so until the message is another one.
 */
export type AnnouncementStatus = "claimed" | "sending" | "accepted" | "refused" | "parked";

export interface AnnouncementRecord {
  key: string;
  status: AnnouncementStatus;
  /** Discord's id of the posted message. */
  messageId: string | null;
  /** SHA-256 of what was last posted, or tried to be. */
  messageHash: string | null;
  /** When the post that is under way was begun. */
  attemptedMs: number | null;
  reason: string | null;
}

type AnnouncementStep =
  | { kind: "create" }
  | { kind: "edit"; messageId: string }
  | { kind: "unchanged" }
  | { kind: "wait"; untilMs: number }
  | { kind: "park"; reason: string }
  | { kind: "parked" }
  | { kind: "refused" };

/** Longer than any function that posts may run: after it, an attempt without an end has died. */
export const attemptLeaseMs = 180_000;
/** Mostly the other attempt ends in a moment. */
export const lookAgainMs = 10_000;

/**
 * What may happen to an announcement now. A post has no idempotency key at Discord, so one whose end is unknown is
 * never repeated; an edit may be, as often as it takes.
 */
export function nextAnnouncementStep(
  record: AnnouncementRecord,
  { messageHash, nowMs }: { messageHash: string; nowMs: number },
): AnnouncementStep {
  switch (record.status) {
    case "claimed":
      return { kind: "create" };
    case "sending": {
      const leaseEndMs = (record.attemptedMs ?? 0) + attemptLeaseMs;
      return nowMs < leaseEndMs
        ? { kind: "wait", untilMs: Math.min(leaseEndMs, nowMs + lookAgainMs) }
        : { kind: "park", reason: "a post that was begun never ended; it may or may not be in the channel" };
    }
    case "accepted":
      if (record.messageHash === messageHash || !record.messageId) return { kind: "unchanged" };
      return { kind: "edit", messageId: record.messageId };
    case "refused":
      return record.messageHash === messageHash ? { kind: "refused" } : { kind: "create" };
    case "parked":
      return { kind: "parked" };
  }
}
