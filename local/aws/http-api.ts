import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { Resource } from "../assembly/resolve-resources.ts";
import { portError } from "../ports.ts";
import { isPreflight, preflightResponse, withCors } from "./http-api-cors.ts";
import { httpApiEvent, splitTarget } from "./http-api-event.ts";
import type {
  HttpApiProperties,
  HttpIntegrationProperties,
  HttpRouteProperties,
  HttpStageProperties,
} from "./http-api-kinds.ts";
import { functionResponse, type GatewayResponse, gatewayMessage } from "./http-api-response.ts";
import { createRouteTable } from "./http-api-routes.ts";
import { createThrottle } from "./http-api-throttle.ts";
import type { Invoke } from "./lambda/invoke.ts";

// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const MAX_HEADER_BYTES = 10_240;

export interface HttpApiOptions {
  api: Resource<HttpApiProperties>;
  routes: Resource<HttpRouteProperties>[];
  integrations: Resource<HttpIntegrationProperties>[];
  stage?: Resource<HttpStageProperties>;
  invoke: Invoke;
  /** 0 or absent: a free one. */
  port?: number;
  now(): number;
}

export interface HttpApi {
  /** Without a slash at the end, e.g. `http://127.0.0.1:4600`. */
  url: string;
  /** Stops listening and cuts open connections. */
  close(): Promise<void>;
}

/** Serves an HTTP API on 127.0.0.1. Rejects when the port is taken, or a route has no integration here. */
export async function startHttpApi(options: HttpApiOptions): Promise<HttpApi> {
  const { api, invoke, now } = options;
  const cors = api.properties.CorsConfiguration;
  const match = createRouteTable(options.routes.map((route) => routeOf(route, options.integrations)));
  const settings = options.stage?.properties.DefaultRouteSettings;
  const throttle = createThrottle({
    burst: settings?.ThrottlingBurstLimit,
    ratePerSecond: settings?.ThrottlingRateLimit,
    now,
  });

  const answer = async (request: IncomingMessage, requestId: string): Promise<GatewayResponse> => {
    const body = await readBody(request);
    if (cors !== undefined && isPreflight(request.method, request.headers)) {
      return preflightResponse(cors, request.headers.origin);
    }
    if (headerBytes(request) > MAX_HEADER_BYTES) return gatewayMessage(431, "Request Header Fields Too Large");
    const matched = match(request.method ?? "", splitTarget(request.url ?? "/").rawPath);
    if (matched === undefined) return gatewayMessage(404, "Not Found");
    if (!throttle.take()) return gatewayMessage(429, "Too Many Requests");
    if (body === undefined) return gatewayMessage(413, "Request Entity Too Large");
    const { routeKey, functionArn, timeoutMs } = matched.route;
    const { pathParameters } = matched;
    const event = httpApiEvent({
      request,
      body,
      apiId: api.name,
      routeKey,
      pathParameters,
      requestId,
      timeEpoch: now(),
    });
    const outcome = await within(timeoutMs, invoke(functionArn, event));
    if (outcome === undefined) return gatewayMessage(503, "Service Unavailable");
    if (outcome.ok) return functionResponse(outcome.payload);
    // Lambda refused the event before any code ran: the body is within the API's limit, and the event is not.
    if (outcome.errorType === "RequestEntityTooLargeException") return gatewayMessage(413, "Request Too Long");
    return gatewayMessage(500, "Internal Server Error");
  };

  const server = createServer({ maxHeaderSize: 64 * 1024 }, async (request, response) => {
    const requestId = randomUUID();
    let reply: GatewayResponse;
    try {
      reply = await answer(request, requestId);
    } catch {
      // The client went away while its body was read.
      response.destroy();
      return;
    }
    const { origin } = request.headers;
    const { status, headers, body } =
      cors === undefined || isPreflight(request.method, request.headers) ? reply : withCors(reply, cors, origin);
    response.writeHead(status, { ...headers, "apigw-requestid": requestId, "content-length": String(body.length) });
    response.end(body);
  });

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(options.port ?? 0, "127.0.0.1", resolve);
  try {
    await promise;
  } catch (error) {
    throw portError(error, options.port ?? 0);
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The HTTP API has no port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      return closed.promise;
    },
  };
}

function routeOf(route: Resource<HttpRouteProperties>, integrations: Resource<HttpIntegrationProperties>[]) {
  const { RouteKey, Target } = route.properties;
  const integration = integrations.find(({ name }) => Target === `integrations/${name}`);
  if (integration === undefined) throw new Error(`Route ${route.logicalId} points to ${Target}, which does not exist.`);
  const { IntegrationUri, TimeoutInMillis } = integration.properties;
  return { routeKey: RouteKey, functionArn: IntegrationUri, timeoutMs: TimeoutInMillis };
}

/** The whole body, or undefined when it is too large; that one is still read to its end so that the client sees the answer. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const data: Buffer = chunk;
    bytes += data.length;
    if (bytes > MAX_BODY_BYTES) chunks = [];
    else chunks.push(data);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks);
}

function headerBytes(request: IncomingMessage): number {
  const line = `${request.method} ${request.url} HTTP/${request.httpVersion}`;
  return line.length + request.rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T | undefined> {
  const timedOut = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timedOut.resolve(undefined), timeoutMs);
  try {
    return await Promise.race([work, timedOut.promise]);
  } finally {
    clearTimeout(timer);
  }
}
