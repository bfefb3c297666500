const SECRET_HEADER = /authorization|cookie|token|secret|signature|api-?key|^svix-/i;
const SECRET_FIELD = /^(?:secret|password|token|api_?key|access_token|refresh_token|client_secret)$/i;
const REDACTED = "[redacted]";

/** Headers with the value of each credential replaced; the name stays, so a missing credential can be told from a hidden one. */
export function redactHeaders(headers: Iterable<[string, string]>): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const [name, value] of headers) {
    shown[name] = SECRET_HEADER.test(name) ? REDACTED : value;
  }
  return shown;
}

/** A JSON value with the fields that vendors use for credentials replaced, at any depth. */
export function redactBody(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactBody);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, SECRET_FIELD.test(key) ? REDACTED : redactBody(inner)]),
  );
}
