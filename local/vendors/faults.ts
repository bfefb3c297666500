import { z } from "zod";

const rate = z.number().min(0).max(1);

const faultsSchema = z.strictObject({
  rate429: rate.optional(),
  rate5xx: rate.optional(),
  latencyMs: z.number().int().min(0).max(600_000).optional(),
  hang: z.boolean().optional(),
  reset: rate.optional(),
  acceptThenTimeout: rate.optional(),
  limit: z.number().int().min(1).optional(),
  dailyQuota: z.number().int().min(0).optional(),
});

/** What a stand-in can be told to do wrong. Rates are probabilities per request; `limit` replaces the vendor's own rate limit, `dailyQuota` its mails per UTC day. */
export type Faults = z.infer<typeof faultsSchema>;

/** What befalls one request. `acceptThenTimeout` is the only one under which the vendor still does the work. */
export type FaultOutcome = "none" | "reset" | "hang" | "rate429" | "rate5xx" | "acceptThenTimeout";

export type FaultPanel = {
  current: () => Faults;
  /** Replaces all faults; throws `InvalidFaults` naming each bad key. */
  replace: (value: unknown) => void;
  draw: () => FaultOutcome;
};

export class InvalidFaults extends Error {
  override name = "InvalidFaults";
}

/** The faults of one stand-in. `random` gives numbers in [0, 1); a seeded one makes the outcomes repeatable. */
export function createFaultPanel(random: () => number): FaultPanel {
  let faults: Faults = {};
  return {
    current: () => faults,
    replace(value) {
      const parsed = faultsSchema.safeParse(value);
      if (!parsed.success) {
        throw new InvalidFaults(`these faults cannot be set: ${z.prettifyError(parsed.error)}`);
      }
      faults = parsed.data;
    },
    draw() {
      // Always the same number of dice for a request, so that changing one rate leaves the others' row as it was.
      const dice = { reset: random(), rate429: random(), rate5xx: random(), acceptThenTimeout: random() };
      if (dice.reset < (faults.reset ?? 0)) return "reset";
      if (faults.hang) return "hang";
      if (dice.rate429 < (faults.rate429 ?? 0)) return "rate429";
      if (dice.rate5xx < (faults.rate5xx ?? 0)) return "rate5xx";
      if (dice.acceptThenTimeout < (faults.acceptThenTimeout ?? 0)) return "acceptThenTimeout";
      return "none";
    },
  };
}
