import pg from "pg";

type ErrorBody = { code?: string; message: string; details?: string | null; hint?: string | null };

/** An answer other than success, with the body that PostgREST (or the gateway before it) gives. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Record<string, string>;

  constructor(status: number, body: ErrorBody, headers: Record<string, string> = {}, cause?: unknown) {
    super(body.message, { cause });
    this.name = "ApiError";
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** What PostgREST can do and this dialect does not: said, never guessed. */
export function notOnThisMachine(what: string): ApiError {
  return new ApiError(400, {
    code: "PGRST127",
    message: "Feature not implemented",
    details: `${what} is not part of the dialect on this machine`,
  });
}

/** Turns whatever was thrown into an answer; `anonymous` decides between 401 and 403, as in PostgREST. */
export function toApiError(error: unknown, anonymous: boolean): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof pg.DatabaseError) {
    const status = statusOf(error.code ?? "XX000", error.message, anonymous);
    const headers: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : {};
    const body = { code: error.code, message: error.message, details: error.detail ?? null, hint: error.hint ?? null };
    return new ApiError(status, body, headers, error);
  }
  if (error instanceof Error && error.message.includes("timeout exceeded when trying to connect")) {
    return new ApiError(
      504,
      { code: "PGRST003", message: "Timed out acquiring connection from connection pool." },
      {},
      error,
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new ApiError(
    503,
    { code: "PGRST000", message: "Database connection error. Retrying the connection.", details: reason },
    {},
    error,
  );
}

/** PostgREST's table from SQLSTATE to HTTP (docs.postgrest.org, "Errors"); the first prefix that fits decides. */
const STATUS_BY_SQLSTATE: [prefix: string, status: number][] = [
  ["08", 503],
  ["09", 500],
  ["0L", 403],
  ["0P", 403],
  ["23503", 409],
  ["23505", 409],
  ["25006", 405],
  ["25", 500],
  ["28", 403],
  ["2D", 500],
  ["38", 500],
  ["39", 500],
  ["3B", 500],
  ["40", 500],
  ["53400", 500],
  ["53", 503],
  ["54", 500],
  ["55", 500],
  ["57P01", 503],
  ["57", 500],
  ["58", 500],
  ["F0", 500],
  ["HV", 500],
  ["P0001", 400],
  ["P0", 500],
  ["XX", 500],
  ["42883", 404],
  ["42P01", 404],
  ["42P17", 500],
];

function statusOf(sqlState: string, message: string, anonymous: boolean): number {
  if (sqlState === "42501") return anonymous ? 401 : 403;
  if (sqlState === "21000") return message.endsWith("requires a WHERE clause") ? 400 : 500;
  if (sqlState === "22023" && /^role .* does not exist$/.test(message)) return 401;
  const chosen = /^PT(\d{3})$/.exec(sqlState)?.[1];
  if (chosen) return Number(chosen);
  return STATUS_BY_SQLSTATE.find(([prefix]) => sqlState.startsWith(prefix))?.[1] ?? 400;
}
