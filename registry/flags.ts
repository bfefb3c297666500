/**
 * A switch back to the simple way of doing something. Off is the rule: off is what a flag is where nobody set it, and
 * what Statsig says of a gate it does not know. Both ways must be safe at any moment, since a flag may be flipped while
 * work is under way: see `docs/adr/0011-feature-flags.md`.
 */
export interface FlagRecord {
  /** What happens while it is on, for the person who flips it. */
  whileOn: string;
}

export const flags = {
  "pulse-one-by-one": {
    whileOn: "The pulse worker stores each interaction with a database call of its own, one after the other.",
  },
  "digest-one-at-a-time": {
    whileOn: "The digest in batch mode sends one batch at a time instead of five side by side.",
  },
  "digest-single-mails": {
    whileOn: "The digest in batch mode makes a call for each mail instead of one for a hundred.",
  },
  "sequence-single-mails": {
    whileOn: "The onboarding sequence makes a call for each mail instead of one for a hundred.",
  },
} as const satisfies Record<string, FlagRecord>;

export type FlagName = keyof typeof flags;
