import type { FlowStation } from "./station.ts";

/** People who get the newsletter. */
export interface Readers {
  emails: string[];
  /** How many mails that say `words` each of them got; everybody is in it. */
  mailsSaying(words: string): Promise<Map<string, number>>;
}

/** Subscribes so many people, past the door and without a welcome. */
export async function addReaders(station: FlowStation, amount: number): Promise<Readers> {
  const emails = Array.from({ length: amount }, (_, index) => `reader${index + 1}@example.com`);
  await station.sql(
    `insert into newsletter_subscriptions (email, status, confirmed, consent_given, subscribed_at)
     select email, 'active', true, true, now() from unnest($1::text[]) email`,
    [emails],
  );
  return {
    emails,
    async mailsSaying(words) {
      const counts = new Map(emails.map((email) => [email, 0]));
      for (const { to, html } of await station.outbox())
        for (const email of html?.includes(words) ? to : []) counts.set(email, (counts.get(email) ?? 0) + 1);
      return counts;
    },
  };
}

export const onceEach = (emails: readonly string[]) => new Map(emails.map((email) => [email, 1]));
