import * as z from "zod";
import { emailAddress } from "../core/email-address.ts";
import { transactionalTemplates } from "../emails/transactional.ts";
import { acceptedReply } from "./door/reply.ts";
import { parsedBody } from "./door/request.ts";
import type { Route } from "./door/zone.ts";
import { type MailParts, queueMails, requestKey } from "./send-mail.ts";

export const transactionalWish = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("job-posted"),
    email: emailAddress,
    data: transactionalTemplates["job-posted"].data,
  }),
  z.object({
    type: z.literal("collection-shared"),
    email: emailAddress,
    data: transactionalTemplates["collection-shared"].data,
  }),
]);

/** Queues one mail about something a person did on the site. */
export const emailTransactional =
  (parts: MailParts): Route =>
  async (request) => {
    const { email, ...wish } = parsedBody(request, transactionalWish);
    const ledgerKey = `transactional/${wish.type}/${requestKey("email-transactional", request)}`;
    const mail =
      wish.type === "job-posted"
        ? { template: wish.type, to: email, data: wish.data }
        : { template: wish.type, to: email, data: wish.data };
    return acceptedReply(await queueMails(parts, request, [{ ledgerKey, mail }]), request.correlationId);
  };
