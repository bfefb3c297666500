import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { type RouteRecord, routes } from "../../registry/routes.ts";
import { Problem, problemReply } from "./door/problem.ts";
import { requestOf } from "./door/request.ts";

/** Prefix under which the original answered; its callers may still use it. */
const formerPrefix = "/flux-station";

/** Whatever matches no route: former spellings of a path are redirected, the rest is 404 or 405. */
export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const request = requestOf(event);
  const path = canonical(request.path);
  const route = Object.values<RouteRecord>(routes).find((candidate) => candidate.path === path);
  if (!route)
    return problemReply(new Problem("not-found", `There is nothing at ${request.path}.`), request.correlationId);
  if (path !== request.path && route.methods.some((method) => method === request.method)) {
    const query = request.query.size > 0 ? `?${request.query}` : "";
    // 308 keeps method and body.
    return { statusCode: 308, headers: { location: `${path}${query}` } };
  }
  const allowed = route.methods.join(", ");
  return problemReply(
    new Problem("method-not-allowed", `${path} takes ${allowed}, not ${request.method}.`, {
      headers: { allow: allowed },
    }),
    request.correlationId,
  );
}

function canonical(path: string): string {
  const withoutPrefix = path.startsWith(`${formerPrefix}/`) ? path.slice(formerPrefix.length) : path;
  return withoutPrefix.length > 1 ? withoutPrefix.replace(/\/+$/, "") : withoutPrefix;
}
