import * as z from "zod";
import type { LedgerStatus } from "./ledger.ts";

/** What Resend posts about a mail or a contact, as far as the station uses it. */
export const resendEvent = z.object({
  data: z.object({
    /** Recipients of a mail. */
    to: z.union([z.string().transform((address) => [address]), z.array(z.string())]).nullish(),
    /** Address of a contact. */
    email: z.string().nullish(),
    email_id: z.string().nullish(),
    /** Of the contact, domain or whatever else the event is about. */
    id: z.string().nullish(),
    unsubscribed: z.boolean().nullish(),
    bounce: z.object({ type: z.string().nullish(), message: z.string().nullish() }).nullish(),
    // Documented as an object; sent as a list of pairs at times.
    tags: z
      .union([
        z.record(z.string(), z.string()),
        z
          .array(z.object({ name: z.string(), value: z.string() }))
          .transform((tags) => Object.fromEntries(tags.map(({ name, value }) => [name, value]))),
      ])
      .nullish()
      .catch(null),
  }),
});
export type ResendEvent = z.infer<typeof resendEvent>;

/** Whom an event is about; one `null` when it names no address. */
export function addressesOf(type: string, { data }: ResendEvent): [string | null, ...(string | null)[]] {
  const [first, ...others] = type.startsWith("email.") ? new Set(data.to ?? []) : [data.email ?? null];
  return [first ?? null, ...others];
}

export type MailFate = Extract<LedgerStatus, "accepted" | "delivered" | "bounced" | "complained">;

const fates = new Map<string, MailFate>([
  ["email.sent", "accepted"],
  ["email.delivery_delayed", "accepted"],
  ["email.delivered", "delivered"],
  ["email.opened", "delivered"],
  ["email.clicked", "delivered"],
  ["email.bounced", "bounced"],
  ["email.complained", "complained"],
]);

/** What an event proves of the mail it is about; undefined when nothing. */
export const fateOf = (type: string): MailFate | undefined => fates.get(type);

const inOrder: LedgerStatus[] = ["accepted", "delivered", "bounced", "complained"];

/** States that a fate may replace: deliveries of events come in any order, and a later state is never taken back. */
export function replaceableBy(fate: MailFate): LedgerStatus[] {
  return ["claimed", "sending", "parked", ...inOrder.slice(0, inOrder.indexOf(fate))];
}
