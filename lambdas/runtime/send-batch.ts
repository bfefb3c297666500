import type { Mail, ResendProvider } from "../providers/resend.ts";

/**
 * Sends a batch under its key: a mail that is alone by `POST /emails`, several by `POST /emails/batch`. Only their
 * number decides, which is fixed when a batch is made. Else a flag flipped between two attempts would repeat a call at
 * another endpoint, where the provider does not recognise its idempotency key.
 */
export async function sendBatch(
  resend: Pick<ResendProvider, "sendMail" | "sendMails">,
  mails: Mail[],
  idempotencyKey: string,
): Promise<(string | null)[]> {
  const [first] = mails;
  if (first && mails.length === 1) return [await resend.sendMail(first, idempotencyKey)];
  return resend.sendMails(mails, idempotencyKey);
}
