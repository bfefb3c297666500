import { managedSegments, segmentCalls } from "../../core/engagement.ts";
import { count } from "../../runtime/metrics.ts";
import type { Task } from "../../runtime/task.ts";
import { contactChange, type SegmentParts } from "./parts.ts";

/**
 * Moves the contact at Resend. The state is dirty from before the first call until after the last, so that whatever
 * interrupts this, the next run looks before it acts. A call is counted once Resend has answered it.
 */
export const applyChange =
  ({ resend, states, segmentIds }: SegmentParts): Task =>
  async (input) => {
    const { subscriptionId, contactId, target, listFirst } = contactChange.parse(input);
    const known = await states.read(subscriptionId);
    const retryAttempt = known?.attempts ?? 0;
    await states.markDirty(subscriptionId, retryAttempt + 1);
    let calls = 0;
    const called = (operation: "list" | "add" | "remove") => {
      calls += 1;
      count(`segments-${operation}`, 1);
    };
    const list = async () => {
      const found = await resend.listSegments(contactId);
      called("list");
      return found;
    };
    const listed = listFirst || !known?.segment ? await list() : [segmentIds[known.segment]];
    const present = managedSegments.filter((segment) => listed.includes(segmentIds[segment]));
    const { add, remove } = segmentCalls(target, present);
    if (add) {
      await resend.addToSegment(contactId, segmentIds[add]);
      called("add");
    }
    for (const segment of remove) {
      await resend.removeFromSegment(contactId, segmentIds[segment]);
      called("remove");
    }
    await states.markClean(subscriptionId, target);
    return { retryAttempt, calls };
  };
