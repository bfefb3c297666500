import { randomUUID } from "node:crypto";
import { makeEnvelope, messageId } from "../core/messages.ts";
import type { TransactionalMessage } from "../emails/transactional.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import type { RouteRequest } from "./door/request.ts";

export interface MailParts {
  sender: MessageSender;
  now: () => number;
}

/** The part of a mail's ledger key that makes one request's mail another than the next one's, and the same on a retry. */
export function requestKey(scope: string, { headers }: RouteRequest): string {
  const key = headers["idempotency-key"];
  return key ? messageId(scope, key) : randomUUID();
}

/**
 * Queues mails, each under its ledger key: what was sent under a key is never sent again. Answers the first message's
 * id. Throws when the queue did not take all of them; a repetition then sends the same messages.
 */
export async function queueMails(
  { sender, now }: MailParts,
  request: RouteRequest,
  mails: { ledgerKey: string; mail: TransactionalMessage }[],
): Promise<string> {
  const envelopes = mails.map(({ ledgerKey, mail }) =>
    makeEnvelope(
      "email",
      { ...mail, ledgerKey },
      {
        businessKey: `email/${mail.template}`,
        correlationId: request.correlationId,
        nowMs: now(),
        idempotency: { scope: "email", key: ledgerKey },
      },
    ),
  );
  const [refused] = await sender.sendAll("email", envelopes);
  if (refused) throw new Error(`The queue email did not take a mail: ${refused.reason}`);
  return envelopes[0]?.id ?? request.correlationId;
}
