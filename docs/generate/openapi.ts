import { z } from "zod";
import { emailAddress } from "../../lambdas/core/email-address.ts";
import { entriesOf, mapRecord } from "../../lambdas/core/record.ts";
import { type ProblemKind, problemKinds } from "../../lambdas/routes/door/problem.ts";
import { buckets, type RouteName, type RouteRecord, routes } from "../../registry/routes.ts";
import { type WebhookVendorRecord, webhookVendors } from "../../registry/webhook-vendors.ts";
import { type Operation, operations } from "./operations.ts";

/** The station's API as an OpenAPI 3.1 document, from the route records and the contracts that routes check against. */
export function openApi(version: string): Record<string, unknown> {
  return {
    openapi: "3.1.0",
    info: {
      title: "Flux Station",
      version,
      description:
        "Written by docs/generate from registry/routes.ts and the message contracts. Every answer has X-Correlation-Id; a problem's body is RFC 9457.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "http://127.0.0.1:8787", description: "npm start" }],
    paths: Object.fromEntries(
      entriesOf<RouteName, RouteRecord>(routes).map(([name, route]) => [documentedPath(route), pathItem(name, route)]),
    ),
    components: {
      securitySchemes: {
        "internal-secret": { type: "apiKey", in: "header", name: "X-Internal-Secret" },
        "user-jwt": {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Access token of Supabase Auth",
        },
        captcha: {
          type: "apiKey",
          in: "header",
          name: "X-Captcha-Token",
          description: "A Turnstile token; counts once",
        },
        "auth-hook": { type: "apiKey", in: "header", name: "webhook-signature", description: "Standard Webhooks" },
        "database-hmac": {
          type: "apiKey",
          in: "header",
          name: "X-Webhook-Signature",
          description: "HMAC-SHA256 in base64 over `timestamp.body`; the time in ms in X-Webhook-Timestamp",
        },
        ...mapRecord(webhookVendors, ({ headers, signature }: WebhookVendorRecord) => ({
          type: "apiKey",
          in: "header",
          name: headers.at(-1),
          description: `${signature} with ${headers.join(", ")}`,
        })),
        "signed-link": { type: "apiKey", in: "query", name: "token", description: "As it stands in a mail's link" },
      },
      schemas: { Problem: problemSchema },
      responses: problemResponses(),
    },
  };
}

const problemSchema = jsonSchema(
  z.object({
    type: z.enum(Object.keys(problemKinds).map((kind) => `urn:flux-station:problem:${kind}`)),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    correlation_id: z.string(),
  }),
);

/** OpenAPI has no `$default`. */
export const documentedPath = ({ path }: RouteRecord): string => (path === "$default" ? "/{anyOther}" : path);

/** What a caller has to show: any one of these, each a set of schemes. */
export function securityOf(auth: RouteRecord["auth"]): Record<string, string[]>[] {
  switch (auth.scheme) {
    case "public":
      return [];
    case "internal-secret-and-user":
      return [{ "internal-secret": [], "user-jwt": [] }];
    case "auth-hook-or-internal-secret":
      return [{ "auth-hook": [] }, { "internal-secret": [] }];
    case "captcha":
      return [{ captcha: [] }, { "internal-secret": [] }];
    case "vendor-signature":
      return auth.vendors.map((vendor) => ({ [vendor]: [] }));
    default:
      return [{ [auth.scheme]: [] }];
  }
}

function pathItem(name: RouteName, route: RouteRecord): Record<string, unknown> {
  const methods: Partial<Record<string, Operation>> = operations[name];
  return Object.fromEntries(
    route.methods.map((method) => [method.toLowerCase(), operation(name, method, route, methods[method])]),
  );
}

function operation(name: RouteName, method: string, route: RouteRecord, described: Operation | undefined) {
  const problems = problemsOf(method, route, described);
  return {
    operationId: `${method.toLowerCase()}-${name}`,
    summary: route.summary,
    description: `At most ${buckets[route.bucket]} requests a minute and client, over all routes of the bucket "${route.bucket}".`,
    tags: [route.zone],
    security: securityOf(route.auth),
    parameters: [
      ...(route.path === "$default" ? [anyOtherPath] : []),
      ...(method === "POST" ? [idempotencyKey] : []),
      ...(described?.parameters ?? []),
    ],
    ...(described?.body ? { requestBody: requestBody(described.body, route.maxBodyBytes) } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(described?.answers ?? {}).map(([status, answer]) => [status, success(answer)]),
      ),
      ...Object.fromEntries(
        problems.map((kind) => [problemKinds[kind].status, { $ref: `#/components/responses/${kind}` }]),
      ),
    },
  };
}

const anyOtherPath = { name: "anyOther", in: "path", required: true, schema: { type: "string" } };

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "The same key with the same body gets the same answer and does nothing again.",
  schema: { type: "string", minLength: 1, maxLength: 256 },
};

function problemsOf(method: string, route: RouteRecord, described: Operation | undefined): ProblemKind[] {
  const json = described?.body !== undefined && "json" in described.body;
  const wanted: [ProblemKind, boolean][] = [
    ["invalid-body", json],
    ["invalid-request", !json],
    ["unauthorized", route.auth.scheme !== "public"],
    ["conflict", method === "POST"],
    ["body-too-large", true],
    ["unsupported-media-type", json],
    ["idempotency-mismatch", method === "POST"],
    ["too-many-requests", true],
    ["internal-error", true],
    ["missing-configuration", true],
  ];
  return wanted.filter(([, applies]) => applies).map(([kind]) => kind);
}

function problemResponses(): Record<string, unknown> {
  return Object.fromEntries(
    entriesOf(problemKinds).map(([kind, { title }]) => [
      kind,
      {
        description: title,
        ...(kind === "too-many-requests" ? { headers: rateLimitHeaders } : {}),
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}

const seconds = { schema: { type: "integer" }, description: "seconds" };
const rateLimitHeaders = {
  "Retry-After": seconds,
  "RateLimit-Limit": { schema: { type: "integer" }, description: "requests a minute" },
  "RateLimit-Remaining": { schema: { type: "integer" }, description: "requests left in this minute" },
  "RateLimit-Reset": seconds,
};

function requestBody(body: NonNullable<Operation["body"]>, maxBodyBytes: number): Record<string, unknown> {
  const content =
    "json" in body
      ? { "application/json": { schema: jsonSchema(body.json) } }
      : { "application/x-www-form-urlencoded": { schema: jsonSchema(body.form) } };
  return { description: `At most ${maxBodyBytes} bytes`, required: body.required, content };
}

function success(answer: Operation["answers"][number]): Record<string, unknown> {
  const content =
    "json" in answer
      ? { "application/json": { schema: jsonSchema(answer.json) } }
      : { "text/html": { schema: { type: "string" } } };
  return { description: answer.description, content };
}

/** A contract as it takes values in. */
function jsonSchema(contract: z.ZodType): Record<string, unknown> {
  const { $schema, $defs, ...schema } = z.toJSONSchema(contract, {
    io: "input",
    reused: "inline",
    override: ({ zodSchema, jsonSchema: written }) => {
      if (zodSchema !== emailAddress) return;
      // Its pattern is for the address as it is stored: trimmed and in lower case.
      delete written.pattern;
      written.format = "email";
    },
  });
  // Only z.json() refers to itself, and would point outside this document: any value does.
  const anyJson = (_: string, value: unknown) =>
    typeof value === "object" && value !== null && "$ref" in value ? {} : value;
  return z.record(z.string(), z.unknown()).parse(JSON.parse(JSON.stringify(schema), anyJson));
}
