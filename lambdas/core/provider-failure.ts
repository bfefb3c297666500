import { Deferred, PermanentFailure } from "./outcome.ts";

/** The provider's rate limit: the call was not carried out. Everyone waits until `untilMs`. */
export class RateLimited extends Deferred {
  override name = "RateLimited";
}

/** A daily or monthly quota is used up: retrying before `untilMs` is useless. */
export class QuotaExceeded extends Deferred {
  override name = "QuotaExceeded";
}

/** No answer or a 5xx: nobody knows whether the call was carried out. */
export class ProviderUnavailable extends Error {
  override name = "ProviderUnavailable";
  /** Until when the provider is left alone, where its breaker is open: then it failed everybody, not this one call. */
  readonly restUntilMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { restUntilMs?: number | undefined } = {}) {
    super(message, options);
    this.restUntilMs = options.restUntilMs;
  }
}

/** No connection came about, so the call was certainly not carried out. */
export class ProviderUnreachable extends ProviderUnavailable {
  override name = "ProviderUnreachable";
}

/**
 * The provider did not let us in, or does not know what we ask for: our key or our deployment is at fault, not the
 * message. Nothing was carried out. It is tried again and counted, so that a mended key or migration is still in time.
 */
export class ProviderMisconfigured extends Error {
  override name = "ProviderMisconfigured";
}

/** The provider understood and said no; the same call will be refused again. */
export class ProviderRefused extends PermanentFailure {
  override name = "ProviderRefused";
  readonly status: number;
  /** The provider's own name of the error, such as `validation_error`. */
  readonly code: string;

  constructor(message: string, { status, code }: { status: number; code: string }, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

/** The idempotency key was used before with another payload. */
export class IdempotencyMismatch extends PermanentFailure {
  override name = "IdempotencyMismatch";
}
