import * as z from "zod";
import type { StationConfig } from "../../core/station.ts";
import type { Flags } from "../../providers/flags.ts";
import type { HeartbeatProvider } from "../../providers/heartbeat.ts";
import type { ResendProvider } from "../../providers/resend.ts";
import type { SupabaseProvider } from "../../providers/supabase.ts";
import type { MailLedger } from "../../runtime/mail-ledger.ts";
import type { MailSettings } from "../../runtime/newsletter-mail.ts";
import type { StateTable } from "../../runtime/state-table.ts";
import type { DigestContent } from "./content.ts";
import type { WeekClaims } from "./week-claim.ts";

/** What the tasks of the digest are given. */
export interface DigestParts {
  supabase: SupabaseProvider;
  resend: ResendProvider;
  ledger: MailLedger;
  flags: Flags;
  heartbeat: HeartbeatProvider;
  heartbeatId: string | undefined;
  table: StateTable;
  claims: WeekClaims;
  content: DigestContent;
  settings: MailSettings;
  audience: StationConfig["resend"];
  digest: StationConfig["digest"];
  stage: string;
  now: () => number;
}

/** The run's input: when it was due, and what the caller asked for. */
export const runInput = z.object({
  scheduledTime: z.iso.datetime({ offset: true }),
  mode: z.enum(["broadcast", "batch"]).optional(),
});

/** What the claim puts into the run for the states after it. */
export const claimedWeek = z.object({
  week: z.string(),
  contentFrom: z.iso.date(),
  scheduledTime: z.iso.datetime({ offset: true }),
});
