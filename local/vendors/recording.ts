import { closeSync, openSync, writeSync } from "node:fs";

/** One vendor exchange, as it would have looked at the real vendor. Credentials are already redacted. */
export type Exchange = {
  /** ISO 8601, by the station's clock. */
  at: string;
  vendor: string;
  method: string;
  /** As the vendor publishes it, e.g. `https://api.resend.com/emails`. */
  url: string;
  headers: Record<string, string>;
  body: unknown;
  /** Null, like `response`, when the caller got no answer. */
  status: number | null;
  response: unknown;
  correlationId: string | null;
  /** Set when the stand-in was told to misbehave here, e.g. `acceptThenTimeout`. */
  fault?: string;
};

export type Recording = { record: (exchange: Exchange) => void; close: () => void };

/**
 * Appends each exchange to `path` as one JSON line. Every line is a single append, so several stand-ins, or several
 * processes, can share the file.
 */
export function openRecording(path: string): Recording {
  const file = openSync(path, "a", 0o600);
  return {
    record(exchange) {
      writeSync(file, `${JSON.stringify(exchange)}\n`);
    },
    close() {
      closeSync(file);
    },
  };
}
