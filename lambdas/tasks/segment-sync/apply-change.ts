import { managedSegments, segmentCalls } from "../../core/engagement.ts";
import { count } from "../../runtime/metrics.ts";
import type { Task } from "../../runtime/task.ts";
import { contactChange, type SegmentParts } from "./parts.ts";

/**
 * Moves the contact at Resend. The state is dirty from before the first call until after the last, so that whatever
 * interrupts this, the next run looks before it acts.
 */
export const applyChange =
  ({ resend, states, segmentIds }: SegmentParts): Task =>
  async (input) => {
    const { subscriptionId, contactId, target, listFirst } = contactChange.parse(input);
    const known = await states.read(subscriptionId);
    const retryAttempt = known?.attempts ?? 0;
    await states.markDirty(subscriptionId, retryAttempt + 1);
    const listed = listFirst || !known?.segment ? await resend.listSegments(contactId) : [segmentIds[known.segment]];
    const present = managedSegments.filter((segment) => listed.includes(segmentIds[segment]));
    const { add, remove } = segmentCalls(target, present);
    if (add) await resend.addToSegment(contactId, segmentIds[add]);
    for (const segment of remove) await resend.removeFromSegment(contactId, segmentIds[segment]);
    await states.markClean(subscriptionId, target);
    const calls = { list: listFirst ? 1 : 0, add: add ? 1 : 0, remove: remove.length };
    for (const [operation, made] of Object.entries(calls)) count(`segments-${operation}`, made);
    return { retryAttempt, calls: calls.list + calls.add + calls.remove };
  };
