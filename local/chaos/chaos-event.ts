/** What a thread tells of its disturbances and of what it saw, for the story of an item and for the counts. */
export type ChaosEvent =
  | { kind: "kill"; boundary: string; item: string; about: string }
  | { kind: "fault"; service: string; fault: string; item: string; about: string }
  /** A provider refused by its own limit, without being told to. */
  | { kind: "limit-met"; service: string; item: string; about: string }
  /** Resend took mails; the function may never learn it. */
  | { kind: "accepted"; key: string; mails: AcceptedMail[] };

export interface AcceptedMail {
  id: string;
  to: string;
  tags: Record<string, string>;
}
