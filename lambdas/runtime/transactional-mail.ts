import { ledgerTag } from "../core/ledger.ts";
import type { Brand, Senders } from "../core/station.ts";
import { renderEmail } from "../emails/render.ts";
import { type TransactionalMessage, transactionalTemplates } from "../emails/transactional.ts";
import type { Mail } from "../providers/resend.ts";

/**
 * A mail that answers something its recipient did: no unsubscribe link, and the ledger key as a tag by which the
 * provider's webhooks find the record again.
 */
export async function transactionalMail(
  message: TransactionalMessage,
  ledgerKey: string,
  { brand, senders }: { brand: Brand; senders: Senders },
): Promise<Mail> {
  const { from, tag } = transactionalTemplates[message.template];
  const replyTo = replyToOf(message, senders);
  return {
    from: senders[from],
    to: message.to,
    ...(replyTo ? { replyTo } : {}),
    ...(await renderEmail(message, brand)),
    headers: {},
    tags: [
      { name: "type", value: tag },
      { name: "ledger", value: ledgerTag(ledgerKey) },
    ],
  };
}

/** Answering a contact mail leads to the other person; the other mails come from an address that is read. */
function replyToOf(message: TransactionalMessage, { team }: Senders): string | undefined {
  if (message.template === "contact-submission-admin") return message.data.email;
  return message.template === "contact-submission-user" ? team : undefined;
}
