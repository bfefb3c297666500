import type { IncomingHttpHeaders } from "node:http";
import type { CorsConfiguration } from "./http-api-kinds.ts";
import type { GatewayResponse } from "./http-api-response.ts";

/** Whether a browser asks first; the gateway answers that itself when CORS is configured. */
export function isPreflight(method: string | undefined, headers: IncomingHttpHeaders): boolean {
  return method === "OPTIONS" && headers.origin !== undefined && headers["access-control-request-method"] !== undefined;
}

/** 204, with the CORS headers only for an allowed origin. */
export function preflightResponse(cors: CorsConfiguration, origin: string | undefined): GatewayResponse {
  const allowed = allowedOrigin(cors, origin);
  const headers: GatewayResponse["headers"] = {};
  if (allowed !== undefined) {
    Object.assign(headers, originHeaders(cors, allowed));
    if (cors.AllowMethods.length > 0) headers["access-control-allow-methods"] = cors.AllowMethods.join(",");
    if (cors.AllowHeaders.length > 0) headers["access-control-allow-headers"] = cors.AllowHeaders.join(",");
    if (cors.MaxAge !== undefined) headers["access-control-max-age"] = String(cors.MaxAge);
  }
  return { status: 204, headers, body: Buffer.alloc(0) };
}

/** Adds the API's CORS headers to a response; those the function set itself are dropped, as on AWS. */
export function withCors(
  response: GatewayResponse,
  cors: CorsConfiguration,
  origin: string | undefined,
): GatewayResponse {
  const own = Object.entries(response.headers).filter(([name]) => !name.startsWith("access-control-"));
  const allowed = allowedOrigin(cors, origin);
  return {
    ...response,
    headers: { ...Object.fromEntries(own), ...(allowed !== undefined && originHeaders(cors, allowed)) },
  };
}

function originHeaders(cors: CorsConfiguration, allowed: string): Record<string, string> {
  return {
    "access-control-allow-origin": allowed,
    ...(cors.AllowCredentials && { "access-control-allow-credentials": "true" }),
    ...(cors.ExposeHeaders.length > 0 && { "access-control-expose-headers": cors.ExposeHeaders.join(",") }),
  };
}

function allowedOrigin(cors: CorsConfiguration, origin: string | undefined): string | undefined {
  if (origin === undefined) return undefined;
  if (cors.AllowOrigins.includes("*")) return "*";
  const allowed = cors.AllowOrigins.some((pattern) =>
    pattern.endsWith("://*") ? origin.startsWith(pattern.slice(0, -1)) : pattern === origin,
  );
  return allowed ? origin : undefined;
}
