import { validateHeaderName, validateHeaderValue } from "node:http";
import { z } from "zod";

/** What the gateway sends to the client. Header names are lower case; only `set-cookie` has several values. */
export interface GatewayResponse {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer;
}

const headerValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const explicitResponse = z.object({
  statusCode: z.coerce.number().pipe(z.int().min(200).max(599)),
  headers: z.record(z.string(), headerValue).nullish(),
  cookies: z.array(z.string()).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

// The gateway frames the response itself.
const REFUSED_HEADERS = new Set(["connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"]);

/** One of the gateway's own answers, e.g. 404 `{"message":"Not Found"}`. */
export function gatewayMessage(status: number, message: string): GatewayResponse {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify({ message })),
  };
}

/**
 * Reads a function's answer in payload format 2.0: with a `statusCode` it is an explicit response, anything else is
 * the body of a 200 in JSON. A malformed explicit response becomes 500.
 */
export function functionResponse(payload: unknown): GatewayResponse {
  if (typeof payload !== "object" || payload === null || !("statusCode" in payload)) {
    return {
      status: 200,
      headers: { "content-type": "application/json" },
      body: Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)),
    };
  }
  const parsed = explicitResponse.safeParse(payload);
  if (!parsed.success) return gatewayMessage(500, "Internal Server Error");
  const { statusCode, headers, cookies, body, isBase64Encoded } = parsed.data;
  const sent: GatewayResponse["headers"] = { "content-type": "text/plain;charset=UTF-8" };
  try {
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (REFUSED_HEADERS.has(name.toLowerCase())) continue;
      validateHeaderName(name);
      validateHeaderValue(name, value);
      sent[name.toLowerCase()] = value;
    }
    for (const cookie of cookies ?? []) validateHeaderValue("set-cookie", cookie);
  } catch {
    return gatewayMessage(500, "Internal Server Error");
  }
  if (cookies && cookies.length > 0) sent["set-cookie"] = cookies;
  return { status: statusCode, headers: sent, body: Buffer.from(body ?? "", isBase64Encoded ? "base64" : "utf8") };
}
