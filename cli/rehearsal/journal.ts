/** One thing a rehearsed handler did or would have done, in its order. */
export interface Step {
  kind:
    | "read"
    /** An effect that was left out. */
    | "would"
    /** An answer made up so that the handler can go on. */
    | "supposed"
    /** What the handler wrote to the log. */
    | "logged";
  what: string;
  facts: unknown;
}

/** What follows depends on an answer that only the effect itself would give. */
export class RehearsalEnds extends Error {
  override name = "RehearsalEnds";
}

export interface Journal {
  steps: Step[];
  read(what: string, facts: unknown): void;
  would(what: string, facts?: unknown): void;
  supposed(what: string, facts: unknown): void;
  logged(what: string, facts: unknown): void;
  /** Ends the rehearsal: later steps are not noted, since a handler may only be cleaning up after the error. */
  end(reason: string): never;
}

export function createJournal(): Journal {
  const steps: Step[] = [];
  let hasEnded = false;
  const note =
    (kind: Step["kind"]) =>
    (what: string, facts: unknown = null) => {
      if (!hasEnded) steps.push({ kind, what, facts });
    };
  return {
    steps,
    read: note("read"),
    would: note("would"),
    supposed: note("supposed"),
    logged: note("logged"),
    end(reason) {
      hasEnded = true;
      throw new RehearsalEnds(reason);
    },
  };
}
