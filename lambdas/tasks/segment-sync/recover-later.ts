import { makeEnvelope } from "../../core/messages.ts";
import { log } from "../../runtime/logger.ts";
import type { Task } from "../../runtime/task.ts";
import { contactInput, type SegmentParts } from "./parts.ts";

/** How long Resend is left alone before the contact is tried again. */
const pauseSeconds = 60;

/** Resend did not take the change within its budget: the contact comes back by a message of its own. */
export const recoverLater =
  ({ sender, now }: SegmentParts): Task =>
  async (input) => {
    const { subscriptionId, correlationId, messageId, firstSeenAt } = contactInput.parse(input);
    const about = {
      businessKey: subscriptionId,
      correlationId,
      nowMs: now(),
      idempotency: { scope: "segment-recovery", key: messageId },
    };
    const envelope = makeEnvelope("segment-recovery", { subscriptionId }, about);
    // The wish is as old as the message that brought it first.
    await sender.send(
      "segment-recovery",
      { ...envelope, firstSeenAt: firstSeenAt ?? envelope.firstSeenAt },
      pauseSeconds,
    );
    log.warn("segment.left-for-recovery", { subscriptionId });
    return {};
  };
