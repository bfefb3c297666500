import { AsyncLocalStorage } from "node:async_hooks";
import { Logger } from "@aws-lambda-powertools/logger";

/** Keys that are on every log line of the work at hand. No addresses, bodies or tokens, at any level. */
export interface LogScope {
  correlationId: string;
  [key: string]: string | number | undefined;
}

const scopes = new AsyncLocalStorage<LogScope>();
let powertools: Logger | undefined;

/** Runs `work` so that its log lines and its provider calls carry the scope's keys. */
export function withLogScope<T>(scope: LogScope, work: () => Promise<T>): Promise<T> {
  return scopes.run({ ...scopes.getStore(), ...scope }, work);
}

/** The correlation id of the work at hand; goes out with every provider call. */
export const correlationId = (): string | undefined => scopes.getStore()?.correlationId;

type Level = "debug" | "info" | "warn" | "error";

function write(level: Level, code: string, fields: Record<string, unknown> = {}): void {
  powertools ??= new Logger();
  const told = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? withoutAddresses(value) : value,
  ]);
  powertools[level](code, { ...scopes.getStore(), ...Object.fromEntries(told) });
}

/** What a vendor says of a refusal may quote the address it refuses. */
const withoutAddresses = (text: string): string =>
  text.replaceAll(/[^\s"'<>(),:;=/]+(?:@|%40)[a-z\d-]+(?:\.[a-z\d-]+)*\.[a-z]{2,}/gi, "[address]");

/** Structured log lines; `code` is a dotted name such as `mail.accepted`, fields are facts. */
export const log = {
  debug: (code: string, fields?: Record<string, unknown>) => write("debug", code, fields),
  info: (code: string, fields?: Record<string, unknown>) => write("info", code, fields),
  warn: (code: string, fields?: Record<string, unknown>) => write("warn", code, fields),
  error: (code: string, error: unknown, fields: Record<string, unknown> = {}) =>
    write("error", code, { ...fields, ...describeError(error) }),
};

/** Name, message and chain of causes of anything thrown. */
export function describeError(error: unknown): { errorName: string; errorMessage: string } {
  if (!(error instanceof Error)) return { errorName: "Unknown", errorMessage: String(error) };
  const cause = error.cause === undefined ? "" : ` <- ${describeError(error.cause).errorMessage}`;
  return { errorName: error.name, errorMessage: `${error.message}${cause}` };
}
