import * as z from "zod";
import { emailAddress } from "../core/email-address.ts";
import { transactionalMessage, transactionalTemplates } from "../emails/transactional.ts";
import { Problem } from "./door/problem.ts";
import { acceptedReply } from "./door/reply.ts";
import { objectBody, parsed } from "./door/request.ts";
import type { Route } from "./door/zone.ts";
import { type MailParts, queueMails, requestKey } from "./send-mail.ts";

/** Values of X-Email-Action; each is a template's name. */
export const jobActions = [
  "job-submitted",
  "job-approved",
  "job-rejected",
  "job-expiring",
  "job-expired",
  "job-payment-confirmed",
] as const;

const addressee = z.object({ userEmail: emailAddress });

/** The body for each action: the template's data and whom it goes to. */
export const jobMailWishes = jobActions.map((action) => transactionalTemplates[action].data.extend(addressee.shape));

/** Queues the mail that goes with a step in a job posting's life. */
export const emailJobLifecycle =
  (parts: MailParts): Route =>
  async (request) => {
    const named = request.headers["x-email-action"];
    const action = jobActions.find((each) => each === named);
    if (!action)
      throw new Problem("invalid-request", `Name the mail in X-Email-Action, one of ${jobActions.join(", ")}.`, {
        errors: [{ field: "X-Email-Action", message: named ? "is not known" : "is missing" }],
      });
    const body = objectBody(request);
    const { userEmail } = parsed(body, addressee, "invalid-body");
    const data = parsed(body, transactionalTemplates[action].data, "invalid-body");
    const mail = transactionalMessage.parse({ template: action, to: userEmail, data });
    const ledgerKey = `job-lifecycle/${action}/${requestKey("email-job-lifecycle", request)}`;
    return acceptedReply(await queueMails(parts, request, [{ ledgerKey, mail }]), request.correlationId);
  };
