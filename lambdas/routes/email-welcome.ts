import * as z from "zod";
import { emailAddress } from "../core/email-address.ts";
import { makeEnvelope } from "../core/messages.ts";
import { authHookEvent, authMails } from "../emails/auth-mails.ts";
import { signal } from "../runtime/metrics.ts";
import { acceptedReply, jsonReply } from "./door/reply.ts";
import { parsedBody, type RouteRequest } from "./door/request.ts";
import type { Reply, Route } from "./door/zone.ts";
import { type MailParts, queueMails } from "./send-mail.ts";

type WelcomeParts = MailParts & { supabaseUrl: string };

export const welcomeWish = z.object({ email: emailAddress, subscription_id: z.uuid() });

/**
 * For Supabase Auth, every mail it asks for; for our own servers, the newsletter's welcome. Who signed the request
 * decides which, and no header can say otherwise.
 */
export const emailWelcome =
  (parts: WelcomeParts): Route =>
  (request, { identity }) =>
    identity === "auth-hook" ? authMail(parts, request) : newsletterWelcome(parts, request);

async function authMail(parts: WelcomeParts, request: RouteRequest): Promise<Reply> {
  const event = parsedBody(request, authHookEvent);
  const mails = authMails(event, parts.supabaseUrl);
  const { email_action_type: action } = event.email_data;
  if (mails.length === 0) {
    signal("auth-mail-unknown", { action });
    return jsonReply(200, {
      success: true,
      skipped: true,
      reason: "no_mail_for_action",
      action_type: action,
      correlation_id: request.correlationId,
    });
  }
  // The hook's own id is the same on each of its attempts.
  const hookId = request.headers["webhook-id"] ?? "";
  const id = await queueMails(
    parts,
    request,
    mails.map((mail, index) => ({ ledgerKey: `auth/${hookId}/${index}`, mail })),
  );
  return acceptedReply(id, request.correlationId);
}

async function newsletterWelcome({ sender, now }: WelcomeParts, request: RouteRequest): Promise<Reply> {
  const { subscription_id: subscriptionId } = parsedBody(request, welcomeWish);
  const envelope = makeEnvelope(
    "subscription",
    { kind: "welcome", subscriptionId },
    {
      businessKey: `welcome/${subscriptionId}`,
      correlationId: request.correlationId,
      nowMs: now(),
      idempotency: { scope: "email-welcome", key: subscriptionId },
    },
  );
  await sender.send("subscription", envelope);
  return acceptedReply(envelope.id, request.correlationId);
}
