import * as z from "zod";
import { type ManagedSegment, managedSegments } from "../../core/engagement.ts";
import type { StationConfig } from "../../core/station.ts";
import type { ResendProvider } from "../../providers/resend.ts";
import type { SupabaseProvider } from "../../providers/supabase.ts";
import type { MessageSender } from "../../runtime/message-sender.ts";
import type { SegmentStates } from "./segment-states.ts";

/** What the tasks of the segment workflow are given. */
export interface SegmentParts {
  supabase: SupabaseProvider;
  resend: ResendProvider;
  sender: MessageSender;
  states: SegmentStates;
  segmentIds: Pick<StationConfig["resend"]["segments"], ManagedSegment>;
  now: () => number;
}

export const contactInput = z.object({
  subscriptionId: z.uuid(),
  correlationId: z.string(),
  messageId: z.string(),
  /** Absent in runs that an earlier version started. */
  firstSeenAt: z.iso.datetime().optional(),
});

/** What is to be done for a contact, as the first task found it. */
export const contactChange = z.object({
  subscriptionId: z.uuid(),
  contactId: z.string(),
  score: z.number(),
  target: z.enum(managedSegments),
  listFirst: z.boolean(),
});
