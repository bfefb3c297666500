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
  "sequence-short": { errorImpact: "Fewer onboarding mails left than were due." },
  "heartbeat-failed": { errorImpact: "The uptime monitor was not told that a scheduled run worked or failed." },
} as const satisfies Record<string, SignalRecord>;

export type SignalName = keyof typeof signals;
