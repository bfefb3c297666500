import { ledgerTag } from "../core/ledger.ts";
import type { Brand, Senders } from "../core/station.ts";
import { unsubscribeLink } from "../core/unsubscribe-link.ts";
import { type EmailMessage, renderEmail } from "../emails/render.ts";
import type { Mail } from "../providers/resend.ts";

/** What mails to subscribers are made with; the same for all of them. */
export interface MailSettings {
  brand: Brand;
  senders: Senders;
  /** Where unsubscribe links lead. */
  apiUrl: string;
  unsubscribeKey: string;
}

/** A message without the two things that follow from the subscriber. */
type Content<M = EmailMessage> = M extends { recipient: unknown } ? Omit<M, "recipient" | "unsubscribeUrl"> : never;

/**
 * A mail to one subscriber: own address in the footer, own unsubscribe link there and in the one-click headers of
 * RFC 8058, and the ledger key as a tag by which the provider's webhooks find the record again.
 */
export async function newsletterMail(
  content: Content,
  { email, subscriptionId }: { email: string; subscriptionId: string },
  about: { from: keyof Senders; ledgerKey: string; tags: Record<string, string> },
  { brand, senders, apiUrl, unsubscribeKey }: MailSettings,
): Promise<Mail> {
  const link = unsubscribeLink(apiUrl, subscriptionId, unsubscribeKey);
  const rendered = await renderEmail({ ...content, recipient: email, unsubscribeUrl: link }, brand);
  return {
    from: senders[about.from],
    to: email,
    ...rendered,
    headers: { "List-Unsubscribe": `<${link}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" },
    tags: Object.entries({ ...about.tags, ledger: ledgerTag(about.ledgerKey) }).map(([name, value]) => ({
      name,
      value,
    })),
  };
}
