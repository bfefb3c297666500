import type { Context } from "hono";
import type { z } from "zod";

/** Names and statuses as published at https://resend.com/docs/api-reference/errors. */
const STATUS_BY_NAME = {
  invalid_idempotency_key: 400,
  missing_api_key: 401,
  invalid_api_key: 403,
  not_found: 404,
  concurrent_idempotent_requests: 409,
  invalid_idempotent_request: 409,
  invalid_from_address: 422,
  missing_required_field: 422,
  validation_error: 422,
  daily_quota_exceeded: 429,
  monthly_quota_exceeded: 429,
  rate_limit_exceeded: 429,
  application_error: 500,
} as const;

export type ResendErrorName = keyof typeof STATUS_BY_NAME;

/** A refusal in Resend's own words; the server turns it into `{statusCode, message, name}`. */
export class ResendRefusal extends Error {
  override name = "ResendRefusal";
  readonly code: ResendErrorName;

  constructor(code: ResendErrorName, message: string) {
    super(message);
    this.code = code;
  }
}

export function refusalResponse(code: ResendErrorName, message: string): Response {
  const statusCode = STATUS_BY_NAME[code];
  return Response.json({ statusCode, message, name: code }, { status: statusCode });
}

/** Parses a JSON body; the refusal names the first field at fault, as Resend does. An absent body counts as `{}`. */
export async function parseBody<Schema extends z.ZodType>(
  c: Pick<Context, "req">,
  schema: Schema,
): Promise<z.output<Schema>> {
  return parseValue(await readJson(c), schema);
}

/** The JSON of a request's body, `{}` where there is none. */
export async function readJson(c: Pick<Context, "req">): Promise<unknown> {
  const text = await c.req.text();
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new ResendRefusal("validation_error", "The request body is not valid JSON.");
  }
}

export function parseValue<Schema extends z.ZodType>(value: unknown, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = String(issue?.path[0] ?? "");
  if (field !== "" && isMissing(value, field)) {
    throw new ResendRefusal("missing_required_field", `Missing \`${field}\` field.`);
  }
  const code = field === "from" ? "invalid_from_address" : "validation_error";
  throw new ResendRefusal(code, `Invalid \`${field || "request.body"}\` field. ${issue?.message ?? ""}`);
}

function isMissing(value: unknown, field: string): boolean {
  return typeof value === "object" && value !== null && Object.entries(value).every(([key]) => key !== field);
}
