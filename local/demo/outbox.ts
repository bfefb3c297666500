import { z } from "zod";

const mail = z.object({ to: z.array(z.string()), subject: z.string(), kind: z.enum(["email", "batch", "broadcast"]) });
export type SentMail = z.infer<typeof mail>;

const page = z.object({ outbox: z.array(mail) });
const htmlPage = z.object({ outbox: z.array(z.object({ to: z.array(z.string()), html: z.string().nullable() })) });

/** Everything that the Resend stand-in has sent. */
export async function readOutbox(resendUrl: string): Promise<SentMail[]> {
  const response = await fetch(`${resendUrl}/_state?only=outbox&fields=to,subject,kind`);
  return page.parse(await response.json()).outbox;
}

/** The unsubscribe link in the first mail to somebody, as a reader would find it. */
export async function unsubscribeLinkOf(resendUrl: string, email: string): Promise<string> {
  const response = await fetch(`${resendUrl}/_state?only=outbox&fields=to,html`);
  const { outbox } = htmlPage.parse(await response.json());
  const html = outbox.find(({ to }) => to.includes(email))?.html ?? "";
  const link = /href="([^"]*\/email\/unsubscribe\?token=[^"]+)"/.exec(html)?.[1];
  if (!link) throw new Error(`No mail to ${email} has an unsubscribe link.`);
  return link.replaceAll("&amp;", "&");
}

/** Mails to one person of one subject beyond the first. */
export function countDuplicates(mails: SentMail[]): number {
  const seen = new Map<string, number>();
  for (const { to, subject } of mails) {
    const key = `${to.join()}\n${subject}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return [...seen.values()].reduce((sum, times) => sum + times - 1, 0);
}

/** How many of `people` have exactly `times` mails that match. */
export function countServed(
  mails: SentMail[],
  people: string[],
  times: number,
  matches: (mail: SentMail) => boolean,
): number {
  const perPerson = new Map<string, number>();
  for (const sent of mails.filter(matches))
    for (const person of sent.to) perPerson.set(person, (perPerson.get(person) ?? 0) + 1);
  return people.filter((person) => perPerson.get(person) === times).length;
}
