/**
 * What came of a synchronous invocation. `errorType` is the thrown error's name, or `Sandbox.Timedout` when the
 * function ran out of time, or `Runtime.ExitError` when its thread died.
 */
export type InvokeOutcome =
  | { ok: true; payload: unknown }
  | { ok: false; errorType: string; errorMessage: string; stack?: string[] };

/** Invokes the function with this ARN and waits for its answer. The payload is a JSON value; it never rejects. */
export type Invoke = (functionArn: string, payload: unknown) => Promise<InvokeOutcome>;
