/** How one delivery of a message ended. `done`, `suppressed` and `parked` are final; the ledger or a table holds why. */
export type Outcome = "done" | "suppressed" | "parked" | "deferred" | "failing" | "invalid";

/** What a handler returns when the message needs no further attempt. */
export type Settled = Extract<Outcome, "done" | "suppressed" | "parked">;

/** The message or request can never succeed as it is: 400 on a route, the dead-letter queue at once on a worker. */
export class InvalidInput extends Error {
  override name = "InvalidInput";
}

/** The provider or database refused for good: retrying the same thing cannot help. Dead-lettered at once. */
export class PermanentFailure extends Error {
  override name = "PermanentFailure";
}

/** Nothing is wrong with the message, it only cannot be done before `untilMs`; this attempt is not counted. */
export class Deferred extends Error {
  override name = "Deferred";
  readonly untilMs: number;

  constructor(message: string, untilMs: number, options?: ErrorOptions) {
    super(message, options);
    this.untilMs = untilMs;
  }
}

/** Settings or secrets that are needed and absent, all of them, each with the place to put it. */
export class MissingConfiguration extends Error {
  override name = "MissingConfiguration";

  constructor(missing: { name: string; where: string }[]) {
    super(`Missing configuration: ${missing.map(({ name, where }) => `${name} (${where})`).join("; ")}`);
  }
}
