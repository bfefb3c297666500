/** Characters that AWS keeps of an error's name and cause. */
const ERROR_LENGTH = 256;
const CAUSE_LENGTH = 32_768;
/** UTF-8 bytes of any input, output or result: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
export const PAYLOAD_LIMIT_BYTES = 262_144;

/**
 * An error of the States Language: `name` is the error's name, `message` its cause. A terminal one is neither retried
 * nor caught; the interpreter reads `isRetryable` and `isCatchable`.
 */
export class ExecutionError extends Error {
  readonly isRetryable: boolean;
  readonly isCatchable: boolean;

  constructor(name: string, cause: string, options: { terminal: boolean }) {
    super(cause.slice(0, CAUSE_LENGTH));
    this.name = name.slice(0, ERROR_LENGTH);
    this.isRetryable = !options.terminal;
    this.isCatchable = !options.terminal;
  }
}

/** What States.ALL does not catch: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html */
export function payloadTooLarge(what: string): ExecutionError {
  const cause = `${what} is larger than ${PAYLOAD_LIMIT_BYTES} bytes, the most a state takes or returns.`;
  return new ExecutionError("States.DataLimitExceeded", cause, { terminal: true });
}

export function isTooLarge(json: string): boolean {
  return Buffer.byteLength(json, "utf8") > PAYLOAD_LIMIT_BYTES;
}
