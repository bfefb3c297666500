/** Something that must not pass in silence: a metric that raises an alarm as soon as it is counted once. */
export interface SignalRecord {
  /** Who is harmed: the alarm's text. */
  errorImpact: string;
}

export const signals = {
  "digest-empty": { errorImpact: "This week's digest had no content, so subscribers got none." },
  "digest-last-good-used": {
    errorImpact: "The database failed; subscribers got the digest as it was at the last rehearsal.",
  },
  "mail-parked": {
    errorImpact: "A mail is held back because nobody can tell whether it was sent; an operator must settle it.",
  },
  "announcement-parked": {
    errorImpact: "A Discord post is held back because nobody can tell whether it was made; an operator must settle it.",
  },
  "webhook-unknown-type": { errorImpact: "A vendor sent an event that nothing here acts upon; it is stored." },
  "payment-unmatched": { errorImpact: "Somebody paid, and no job went live by it." },
  "outbox-unsendable": {
    errorImpact: "A change in the database has no effect outside it: its outbox row fits no queue.",
  },
  "sequence-short": { errorImpact: "Fewer onboarding mails left than were due." },
  "heartbeat-failed": { errorImpact: "The uptime monitor was not told that a scheduled run worked or failed." },
  "error-reported": { errorImpact: "The site or the database reported an error to the station." },
  "breaker-open": {
    errorImpact: "A provider is down: what needs it waits, and is made up for when it is back.",
  },
  "auth-mail-unknown": {
    errorImpact: "Supabase Auth asked for a mail that the station does not know, so somebody waits for it in vain.",
  },
  "queue-held": {
    errorImpact: "A provider takes nothing for a while, so the messages of a queue wait until it does; none is lost.",
  },
  "run-resumed": { errorImpact: "A digest or sequence hung and was started again: its mails come late." },
  "run-abandoned": {
    errorImpact:
      "A digest or sequence hung again each time it was started: its mails stay away until an operator helps.",
  },
} as const satisfies Record<string, SignalRecord>;

export type SignalName = keyof typeof signals;
