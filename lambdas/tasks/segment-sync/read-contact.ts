import * as z from "zod";
import { planSegmentChange } from "../../core/engagement.ts";
import type { Task } from "../../runtime/task.ts";
import { contactInput, type SegmentParts } from "./parts.ts";

const engagement = z
  .object({ status: z.string(), resend_contact_id: z.string().nullable(), engagement_score: z.number() })
  .nullable();

/** The present score decides, not the one at the time the message was sent; so the order of messages is of no matter. */
export const readContact =
  ({ supabase, states }: SegmentParts): Task =>
  async (input) => {
    const { subscriptionId } = contactInput.parse(input);
    const contact = await supabase.call(
      "get_subscription_engagement",
      { p_subscription_id: subscriptionId },
      engagement,
    );
    // Without a contact at Resend there is nothing to move; it is created in the right segment.
    if (!contact?.resend_contact_id || contact.status !== "active") return { status: "nothing-to-move" };
    const { unchanged, listFirst, target } = planSegmentChange(
      contact.engagement_score,
      await states.read(subscriptionId),
    );
    if (unchanged) return { status: "unchanged" };
    const { resend_contact_id: contactId, engagement_score: score } = contact;
    return { status: "change", change: { subscriptionId, contactId, score, target, listFirst } };
  };
