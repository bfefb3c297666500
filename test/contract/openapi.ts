import { existsSync, readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";

/**
 * Holds recorded vendor exchanges against the vendors' published OpenAPI: path, method, query, body, status, answer.
 * The specs do not come with the project; where they are missing `checkRecording` says so in `skipped`.
 */

const SPEC_FOLDER = new URL("../../../shared/data/openapi/", import.meta.url);

type Spec = { file: string; baseUrl: string };

const SPECS: Record<string, Spec> = {
  resend: { file: "resend.json", baseUrl: "https://api.resend.com" },
  discord: { file: "discord.json", baseUrl: "https://discord.com/api/v10" },
};

/** Where the vendor's own SDK, or its documentation, and its spec do not agree. Keyed by `METHOD path` of the spec. */
const UNDOCUMENTED_OPERATIONS: Record<string, string> = {
  "GET /segments/{id}/contacts": "the SDK lists a segment's contacts here; the spec has GET /contacts?segment_id=",
  "PATCH /segments/{id}": "the SDK's segments.update",
};

const BODY_DIFFERENCES: Record<string, { where: "request" | "response"; path: RegExp; because: string }[]> = {
  "PATCH /contacts/{contact_id}/topics": [
    { where: "request", path: /^$/, because: "the SDK sends the bare array, the spec has {topics}" },
  ],
  "POST /contacts": [
    { where: "request", path: /^\/segments\/\d+$/, because: "the SDK sends {id}, the spec plain ids" },
  ],
  "GET /contacts": [{ where: "response", path: /^\/has_more$/, because: "in the SDK and the documentation only" }],
  "PATCH /contacts/{id}": [
    { where: "request", path: /^\/(first|last)_name$/, because: "null clears a name in the SDK, the spec has no null" },
  ],
  "PATCH /topics/{id}": [{ where: "request", path: /^\/id$/, because: "the SDK repeats the id in the body" }],
  "POST /segments": [{ where: "response", path: /^\/name$/, because: "in the SDK only" }],
  "PATCH /emails/{email_id}": [
    { where: "response", path: /^\/(object|id)$/, because: "the spec gives the request's schema as the answer's" },
  ],
  "DELETE /contacts/{id}": [{ where: "response", path: /^\/contact$/, because: "in the SDK only" }],
  "POST /emails/batch": [{ where: "response", path: /^\/errors$/, because: "permissive mode is newer than the spec" }],
  "GET /broadcasts/{id}": [{ where: "response", path: /^\/object$/, because: "in the documentation only" }],
};

const exchangeSchema = z.object({
  vendor: z.string(),
  method: z.string(),
  url: z.url(),
  headers: z.record(z.string(), z.string()),
  body: z.unknown(),
  status: z.number().nullable(),
  response: z.unknown(),
});

type CheckedExchange = z.infer<typeof exchangeSchema>;

const schemaObject = z.record(z.string(), z.unknown());
const contentSchema = z.object({ "application/json": z.object({ schema: schemaObject }).optional() }).optional();
const operationSchema = z.object({
  parameters: z
    .array(z.object({ $ref: z.string().optional(), in: z.string().optional(), name: z.string().optional() }))
    .default([]),
  requestBody: z.object({ content: contentSchema }).optional(),
  responses: z.record(z.string(), z.object({ content: contentSchema })),
});
const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({
    schemas: z.record(z.string(), schemaObject),
    parameters: z.record(z.string(), z.object({ name: z.string() })).default({}),
  }),
});
type OpenApiDocument = z.infer<typeof documentSchema>;

export type RecordingCheck = {
  /** Exchanges that were held against a spec. */
  checked: number;
  /** Each way in which an exchange is not what the vendor publishes; empty is good. */
  findings: string[];
  /** Why nothing was checked, or null. */
  skipped: string | null;
};

/** Checks the lines of a recording (or the exchanges themselves). Vendors without a spec here are passed over. */
export function checkRecording(lines: Iterable<string | object>): RecordingCheck {
  const specs = Object.entries(SPECS).filter(([, { file }]) => existsSync(new URL(file, SPEC_FOLDER)));
  if (specs.length === 0) return { checked: 0, findings: [], skipped: `no OpenAPI files in ${SPEC_FOLDER.pathname}` };
  const checkedVendors = new Set(specs.map(([vendor]) => vendor));

  let checked = 0;
  const findings = new Set<string>();
  for (const line of lines) {
    const exchange = exchangeSchema.parse(typeof line === "string" ? JSON.parse(line) : line);
    if (!checkedVendors.has(exchange.vendor)) continue;
    checked += 1;
    for (const finding of checkerOf(exchange.vendor)(exchange)) findings.add(finding);
  }
  return { checked, findings: [...findings], skipped: null };
}

/** Filled as exchanges ask for it: Discord's spec alone is a megabyte. */
const checkers = new Map<string, (exchange: CheckedExchange) => string[]>();

function checkerOf(vendor: string): (exchange: CheckedExchange) => string[] {
  const known = checkers.get(vendor);
  if (known) return known;
  const spec = SPECS[vendor];
  if (!spec) throw new Error(`there is no spec of ${vendor}; add it to SPECS`);
  const checker = createChecker(readSpec(new URL(spec.file, SPEC_FOLDER)), spec.baseUrl);
  checkers.set(vendor, checker);
  return checker;
}

function readSpec(file: URL): OpenApiDocument {
  return documentSchema.parse(JSON.parse(readFileSync(file, "utf8")));
}

function createChecker(document: OpenApiDocument, baseUrl: string): (exchange: CheckedExchange) => string[] {
  const validators = {
    request: createValidator(document, { nullable: false }),
    response: createValidator(document, { nullable: true }),
  };

  const operations = new Map<string, z.infer<typeof operationSchema>>();
  const basePath = new URL(baseUrl).pathname.replace(/\/$/, "");

  return (exchange) => {
    // A refused or unanswered request may well be malformed on purpose. Resend's spec knows no 4xx or 5xx, and Discord's
    // has numbers where its documentation and its answers have names (`_errors[].code`).
    if (exchange.status === null || exchange.status >= 400) return [];
    const url = new URL(exchange.url);
    const path = exchange.url.startsWith(baseUrl) ? url.pathname.slice(basePath.length) : null;
    const label = `${exchange.method} ${url.pathname}`;
    if (path === null) return [`${exchange.method} ${exchange.url}: not under ${baseUrl}`];

    const template = findTemplate(Object.keys(document.paths), path);
    const found = template === undefined ? undefined : document.paths[template]?.[exchange.method.toLowerCase()];
    if (template === undefined || found === undefined) {
      const known = Object.keys(UNDOCUMENTED_OPERATIONS).some((key) => matchesOperation(key, exchange.method, path));
      return known ? [] : [`${label}: no such operation in the spec`];
    }
    const name = `${exchange.method} ${template}`;
    const operation = operations.get(name) ?? operationSchema.parse(found);
    operations.set(name, operation);
    const findings = unknownQueryNames(document, operation, url.searchParams).map((query) => `query ?${query} unknown`);

    const answer = operation.responses[String(exchange.status)];
    if (!answer) findings.push(`status ${exchange.status}, published ${Object.keys(operation.responses).join(", ")}`);
    const bodies = [
      ["request", operation.requestBody?.content, exchange.body],
      ["response", answer?.content, exchange.response],
    ] as const;
    for (const [where, content, body] of bodies) {
      const schema = content?.["application/json"]?.schema;
      if (!schema || body === null) continue;
      const excused = BODY_DIFFERENCES[name]?.filter((difference) => difference.where === where) ?? [];
      for (const { at, text } of validators[where](schema, body)) {
        if (!excused.some((difference) => difference.path.test(at))) findings.push(`${where} ${at || "/"} ${text}`);
      }
    }
    return findings.map((finding) => `${name}: ${finding}`);
  };
}

type Violation = { at: string; text: string };

/**
 * Validates against a schema of the document in which fields that it does not name are not allowed: a misspelt
 * optional field is the mistake most worth finding. Answers may hold null where the spec only leaves a field out.
 */
function createValidator(document: OpenApiDocument, { nullable }: { nullable: boolean }) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true, logger: false });
  const schemas = Object.fromEntries(
    Object.entries(document.components.schemas).map(([name, schema]) => [name, seal(schema, nullable)]),
  );
  ajv.addSchema({ $id: "spec", components: { schemas } });
  const compiled = new WeakMap<object, ValidateFunction>();

  return (schema: Record<string, unknown>, body: unknown): Violation[] => {
    const validate = compiled.get(schema) ?? ajv.compile(absoluteReferences(seal(schema, nullable)));
    compiled.set(schema, validate);
    validate(body);
    return (validate.errors ?? []).map((error) => {
      const extra = z.object({ unevaluatedProperty: z.string() }).safeParse(error.params);
      const at = extra.success ? `${error.instancePath}/${extra.data.unevaluatedProperty}` : error.instancePath;
      return { at, text: extra.success ? "is not in the spec" : (error.message ?? error.keyword) };
    });
  };
}

function seal(schema: unknown, nullable: boolean): Record<string, unknown> {
  const sealed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schemaObject.parse(schema))) {
    if (key === "properties") {
      sealed[key] = Object.fromEntries(
        Object.entries(schemaObject.parse(value)).map(([name, inner]) => {
          const property = seal(inner, nullable);
          return [name, nullable ? { anyOf: [property, { type: "null" }] } : property];
        }),
      );
    } else if (key === "items") sealed[key] = seal(value, nullable);
    else sealed[key] = value;
  }
  if ("properties" in sealed && !("additionalProperties" in sealed)) sealed.unevaluatedProperties = false;
  return sealed;
}

function absoluteReferences(schema: Record<string, unknown>): Record<string, unknown> {
  return schemaObject.parse(
    JSON.parse(JSON.stringify(schema), (key, value) =>
      key === "$ref" && typeof value === "string" && value.startsWith("#") ? `spec${value}` : value,
    ),
  );
}

/** The template that fits a path; of several, the one with the fewest placeholders. */
function findTemplate(templates: string[], path: string): string | undefined {
  return templates
    .filter((template) => fits(template, path))
    .sort((a, b) => a.split("{").length - b.split("{").length)[0];
}

function fits(template: string, path: string): boolean {
  const wanted = template.split("/");
  const given = path.split("/");
  return wanted.length === given.length && wanted.every((part, index) => part.startsWith("{") || part === given[index]);
}

function matchesOperation(key: string, method: string, path: string): boolean {
  const [keyMethod, template = ""] = key.split(" ");
  return keyMethod === method && fits(template, path);
}

function unknownQueryNames(
  document: OpenApiDocument,
  operation: z.infer<typeof operationSchema>,
  query: URLSearchParams,
): string[] {
  const known = operation.parameters.map(
    ({ $ref, name }) => name ?? document.components.parameters[$ref?.split("/").at(-1) ?? ""]?.name,
  );
  return [...query.keys()].filter((name) => !known.includes(name));
}
