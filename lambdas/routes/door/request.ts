import type { APIGatewayProxyEventV2 } from "aws-lambda";
import * as z from "zod";
import { Problem } from "./problem.ts";

/** A request as routes see it: who, what, and the bytes exactly as they came. */
export interface RouteRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Buffer;
  /** Address the connection came from, as the API saw it; never a header. */
  sourceIp: string;
  correlationId: string;
}

const anyObject = z.record(z.string(), z.unknown());

/** Ids of others are taken over when they cannot break a log line or a header. */
const acceptableId = /^[\w.:/=+-]{1,128}$/;

export function requestOf(event: APIGatewayProxyEventV2): RouteRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(event.headers))
    if (value !== undefined) headers[name.toLowerCase()] = value;
  const given = headers["x-correlation-id"] ?? "";
  return {
    method: event.requestContext.http.method,
    path: event.rawPath,
    query: new URLSearchParams(event.rawQueryString),
    headers,
    body: Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"),
    sourceIp: event.requestContext.http.sourceIp,
    correlationId: acceptableId.test(given) ? given : event.requestContext.requestId,
  };
}

/** Whether a browser asks: it names HTML and not JSON; programs name JSON, or take anything. */
export function prefersHtml({ headers: { accept = "" } }: RouteRequest): boolean {
  return /\btext\/html\b/i.test(accept) && !/\bjson\b/i.test(accept);
}

export function refuseOversized(request: RouteRequest, maxBodyBytes: number): void {
  if (request.body.byteLength <= maxBodyBytes) return;
  throw new Problem(
    "body-too-large",
    `The body has ${request.body.byteLength} bytes; ${request.path} takes at most ${maxBodyBytes}.`,
  );
}

/** The body as a JSON value. Throws a Problem for another content type, and for text that is not JSON. */
export function jsonBody(request: RouteRequest): unknown {
  const contentType = request.headers["content-type"] ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType))
    throw new Problem("unsupported-media-type", `Send JSON with content-type application/json, not "${contentType}".`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(request.body);
    // The gateway hands JSON over as text, with this character where bytes were no UTF-8.
    if (text.includes("\uFFFD")) throw new TypeError("it is not valid UTF-8");
    return JSON.parse(text);
  } catch (error) {
    throw new Problem("invalid-body", `The body is not JSON: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}

/** The JSON body, which must be one object. */
export function objectBody(request: RouteRequest): Record<string, unknown> {
  const body = jsonBody(request);
  const object = anyObject.safeParse(body);
  if (object.success && !Array.isArray(body)) return object.data;
  throw new Problem("invalid-body", "Send one JSON object.");
}

/** The JSON body in the shape a route wants; every field that is wrong is named. */
export function parsedBody<S extends z.ZodType>(request: RouteRequest, shape: S): z.infer<S> {
  return parsed(jsonBody(request), shape, "invalid-body");
}

/** An untrusted value in the shape a route wants. */
export function parsed<S extends z.ZodType>(
  value: unknown,
  shape: S,
  kind: "invalid-body" | "invalid-request",
): z.infer<S> {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ field: path.join(".") || "body", message }));
  throw new Problem(kind, errors.map(({ field, message }) => `${field}: ${message}`).join("; "), { errors });
}
