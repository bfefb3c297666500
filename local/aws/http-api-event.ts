import type { IncomingMessage } from "node:http";
import { LOCAL_ACCOUNT } from "../assembly/resource-attributes.ts";

// Dropped or replaced by the gateway before the function sees the request.
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

// What was seen on AWS (ministackorg/ministack#766): only these arrive as text. A form, and a body of no stated
// type, arrive in base64.
const TEXT_TYPE = /^(text\/|application\/(json|xml|javascript)\s*(;|$))/i;

export interface EventInput {
  request: IncomingMessage;
  body: Buffer;
  apiId: string;
  routeKey: string;
  pathParameters: Record<string, string>;
  requestId: string;
  /** Milliseconds since the epoch. */
  timeEpoch: number;
}

/**
 * The Lambda event of an HTTP API, payload format 2.0:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export function httpApiEvent(input: EventInput): Record<string, unknown> {
  const { request, body, routeKey, pathParameters, requestId, timeEpoch } = input;
  const { rawPath, rawQueryString } = splitTarget(request.url ?? "/");
  const sourceIp = remoteAddress(request);
  const host = request.headers.host ?? "";
  const cookies = request.headers.cookie?.split(/;\s*/).filter((cookie) => cookie !== "");
  const isText = TEXT_TYPE.test(request.headers["content-type"] ?? "");
  return {
    version: "2.0",
    routeKey,
    rawPath,
    rawQueryString,
    ...(cookies && { cookies }),
    headers: eventHeaders(request, sourceIp, requestId),
    ...(rawQueryString !== "" && { queryStringParameters: queryParameters(rawQueryString) }),
    requestContext: {
      accountId: LOCAL_ACCOUNT,
      apiId: input.apiId,
      domainName: host,
      domainPrefix: host.split(/[.:]/)[0] ?? "",
      http: {
        method: request.method ?? "",
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp,
        userAgent: request.headers["user-agent"] ?? "",
      },
      requestId,
      routeKey,
      stage: "$default",
      time: commonLogTime(timeEpoch),
      timeEpoch,
    },
    ...(Object.keys(pathParameters).length > 0 && { pathParameters }),
    ...(body.length > 0 && { body: body.toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** Path and query as the client sent them, e.g. for choosing the route. */
export function splitTarget(target: string): { rawPath: string; rawQueryString: string } {
  const mark = target.indexOf("?");
  return mark === -1
    ? { rawPath: target, rawQueryString: "" }
    : { rawPath: target.slice(0, mark), rawQueryString: target.slice(mark + 1) };
}

// The socket's address and never X-Forwarded-For: a caller must not be able to choose the key of its rate limit.
function remoteAddress(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

function eventHeaders(request: IncomingMessage, sourceIp: string, requestId: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (values === undefined || name === "cookie" || HOP_BY_HOP.has(name)) continue;
    headers[name] = values.join(",");
  }
  const forwardedFor = headers["x-forwarded-for"];
  headers["x-forwarded-for"] = forwardedFor === undefined ? sourceIp : `${forwardedFor}, ${sourceIp}`;
  headers["x-forwarded-port"] = String(request.socket.localPort ?? "");
  headers["x-forwarded-proto"] = "http";
  headers["x-amzn-trace-id"] ??= `Root=1-00000000-${requestId.replaceAll("-", "").slice(0, 24)}`;
  return headers;
}

function queryParameters(query: string): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const earlier = parameters[name];
    parameters[name] = earlier === undefined ? value : `${earlier},${value}`;
  }
  return parameters;
}

/** `12/Mar/2026:19:03:58 +0000` */
function commonLogTime(epochMs: number): string {
  const [, day, month, year, time] = new Date(epochMs).toUTCString().split(" ");
  return `${day}/${month}/${year}:${time} +0000`;
}
