import { z } from "zod";
import { parseValue, ResendRefusal } from "./errors.ts";

const ADDRESS = /^[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+$/;

const addressSchema = z
  .string()
  .refine(
    (text) => ADDRESS.test(bareAddress(text)),
    "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.",
  );

const asList = (value: unknown) => (typeof value === "string" ? [value] : value);
const optionalListSchema = z.preprocess(asList, z.array(addressSchema).optional());

const tagTextSchema = z
  .string()
  .regex(/^[\w-]{1,256}$/, "Tags should only contain ASCII letters, numbers, underscores, or dashes.");

/** A point in time ahead, ISO 8601. Resend also reads `in 1 min`; the stand-in does not. */
export const scheduledAtSchema = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** What mails and broadcasts have in common. */
export const letterSchema = z.object({
  from: addressSchema,
  subject: z.string().min(1),
  html: z.string().nullish(),
  text: z.string().nullish(),
  reply_to: optionalListSchema,
});

const mailSchema = letterSchema.extend({
  to: z.preprocess(asList, z.array(addressSchema).min(1).max(50)),
  cc: optionalListSchema,
  bcc: optionalListSchema,
  headers: z.record(z.string(), z.string()).default({}),
  tags: z.array(z.object({ name: tagTextSchema, value: tagTextSchema })).default([]),
  topic_id: z.string().optional(),
  scheduled_at: scheduledAtSchema.optional(),
  attachments: z.array(z.object({ content: z.string().optional(), path: z.string().optional() })).optional(),
});

export type MailBody = z.infer<typeof mailSchema>;

/** Parses one mail of `POST /emails` or of a batch; throws `ResendRefusal` naming the first field at fault. */
export function parseMail(value: unknown): MailBody {
  const mail = parseValue(value, mailSchema);
  requireContent(mail);
  return mail;
}

export function requireContent(letter: { html?: string | null; text?: string | null }): void {
  if (letter.html || letter.text) return;
  throw new ResendRefusal("missing_required_field", "Missing `html` or `text` field.");
}

/** `a@example.com` of `Name <a@example.com>`. */
export function bareAddress(text: string): string {
  return /<([^<>]+)>\s*$/.exec(text)?.[1] ?? text;
}

const taggedSchema = z.looseObject({ tags: z.array(z.object({ name: z.string(), value: z.string() })) });

/**
 * A mail that signs somebody in, without whom it is for and what it says: whoever reads its link or code in a recording
 * could act as that person. The outbox still has it, as the recipient's mailbox would.
 */
export function hideSignInMail(body: unknown): unknown {
  const mail = taggedSchema.safeParse(body);
  const signsIn = mail.data?.tags.some(({ name, value }) => name === "type" && value.startsWith("auth-"));
  return signsIn ? { ...mail.data, to: "[redacted]", html: "[redacted]", text: "[redacted]" } : body;
}
