import * as z from "zod";
import type { Flags } from "../../providers/flags.ts";
import type { HeartbeatProvider } from "../../providers/heartbeat.ts";
import type { ResendProvider } from "../../providers/resend.ts";
import type { SupabaseProvider } from "../../providers/supabase.ts";
import type { MailLedger } from "../../runtime/mail-ledger.ts";
import type { MailSettings } from "../../runtime/newsletter-mail.ts";

/** What the tasks of the onboarding sequence are given. */
export interface SequenceParts {
  supabase: SupabaseProvider;
  resend: ResendProvider;
  ledger: MailLedger;
  flags: Flags;
  heartbeat: HeartbeatProvider;
  heartbeatId: string | undefined;
  settings: MailSettings;
  now: () => number;
}

/**
 * Twenty minutes less than the machine's own limit. What cannot go out by then is the next run's, which comes every six
 * hours.
 */
export const longestRunMs = 5.5 * 3_600_000;

export const runInput = z.object({ scheduledTime: z.iso.datetime({ offset: true }) });

/** Mails of a run so far; returned = sent + suppressed + failed + parked. */
export const totals = z.object({
  returned: z.int().default(0),
  sent: z.int().default(0),
  suppressed: z.int().default(0),
  failed: z.int().default(0),
  parked: z.int().default(0),
  /** Batches that nobody may try again; this run leaves them alone. */
  parkedBatches: z.array(z.uuid()).default([]),
});
export type Totals = z.infer<typeof totals>;
