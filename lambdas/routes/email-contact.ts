import { randomUUID } from "node:crypto";
import * as z from "zod";
import { uuidOf } from "../core/uuid.ts";
import { transactionalTemplates } from "../emails/transactional.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { acceptedReply } from "./door/reply.ts";
import { parsedBody } from "./door/request.ts";
import type { Route } from "./door/zone.ts";
import { type MailParts, queueMails } from "./send-mail.ts";

export const contactWish = transactionalTemplates["contact-submission-admin"].data
  .omit({ submissionId: true, submittedAt: true })
  .extend({
    /** Of a submission that the site has stored already. */
    submissionId: z.uuid().nullish(),
  });

const stored = z.object({ submission_id: z.uuid(), created: z.boolean() });

/** Stores what a visitor wrote, then queues a mail to the team and a confirmation to the visitor. */
export const emailContact =
  ({ supabase, team, ...parts }: MailParts & { supabase: SupabaseProvider; team: string }): Route =>
  async (request) => {
    const { submissionId, name, email, category, message } = parsedBody(request, contactWish);
    const key = request.headers["idempotency-key"];
    const submittedAt = new Date(parts.now()).toISOString();
    const { submission_id: id } = await supabase.call(
      "insert_contact_submission",
      {
        p_name: name,
        p_email: email,
        p_category: category,
        p_message: message,
        p_now: submittedAt,
        // A repetition of the request finds the row of the first attempt.
        p_submission_id: submissionId ?? (key ? uuidOf("email-contact", key, request.body) : randomUUID()),
      },
      stored,
    );
    const messageId = await queueMails(parts, request, [
      {
        ledgerKey: `contact/${id}/admin`,
        mail: {
          template: "contact-submission-admin",
          to: team,
          data: { submissionId: id, name, email, category, message, submittedAt },
        },
      },
      {
        ledgerKey: `contact/${id}/user`,
        mail: { template: "contact-submission-user", to: email, data: { name, category } },
      },
    ]);
    return acceptedReply(messageId, request.correlationId);
  };
