import * as z from "zod";
import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import type { Brand, Senders } from "../core/station.ts";
import { transactionalTemplates } from "../emails/transactional.ts";
import type { ResendProvider } from "../providers/resend.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { requiredSecrets, station } from "../runtime/configuration.ts";
import { log } from "../runtime/logger.ts";
import { createMailLedger, type MailLedger } from "../runtime/mail-ledger.ts";
import { count } from "../runtime/metrics.ts";
import { now, realResend, realSupabase, realTable } from "../runtime/real-parts.ts";
import { transactionalMail } from "../runtime/transactional-mail.ts";
import { createWorker } from "../runtime/worker.ts";

interface EmailParts {
  supabase: SupabaseProvider;
  resend: ResendProvider;
  ledger: MailLedger;
  settings: { brand: Brand; senders: Senders };
  now: () => number;
}

const blocked = z.array(z.object({ email: z.string(), reason: z.string() }));

/** Sends one transactional mail through the ledger; neither to a blocked address nor with a token that has run out. */
export function createEmailHandler({ supabase, resend, ledger, settings, now }: EmailParts) {
  return async ({ payload, occurredAt }: Envelope<Payload<"email">>): Promise<Settled> => {
    const { ledgerKey, ...message } = payload;
    const { template, to } = message;
    if (hasExpired(template, occurredAt, now())) {
      log.warn("mail.expired", { ledgerKey, template });
      count("mail-expired", 1);
      return ledger.giveUp(ledgerKey, "the mail's token has run out");
    }
    const [block] = await supabase.call("get_blocked_emails", { p_emails: [to] }, blocked);
    if (block) {
      log.info("mail.suppressed", { ledgerKey, template, reason: block.reason });
      return ledger.giveUp(ledgerKey, "the address was blocked");
    }
    const mail = await transactionalMail(message, ledgerKey, settings);
    const { outcome } = await ledger.send({
      key: ledgerKey,
      payload: mail,
      acquire: () => resend.acquire("urgent"),
      call: async (idempotencyKey) => [await resend.sendMail(mail, idempotencyKey)],
    });
    return outcome === "parked" ? "parked" : "done";
  };
}

/** A link or code that opens nothing any more only confuses, so what waited too long, or is redriven later, is not sent. */
function hasExpired(template: keyof typeof transactionalTemplates, occurredAt: string, nowMs: number): boolean {
  const { tokenLifeSeconds } = transactionalTemplates[template];
  return tokenLifeSeconds !== undefined && nowMs - Date.parse(occurredAt) >= tokenLifeSeconds * 1000;
}

export const handler = createWorker("email", async () => {
  const table = realTable();
  await requiredSecrets(["resendApiKey", "supabaseServiceRoleKey"]);
  const { brand, senders } = station.config;
  return {
    table,
    now,
    handle: createEmailHandler({
      supabase: await realSupabase(),
      resend: await realResend(table),
      ledger: createMailLedger({ table, now }),
      settings: { brand, senders },
      now,
    }),
  };
});
