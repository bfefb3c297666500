import { type RouteName, type RouteRecord, routes } from "../../registry/routes.ts";
import { entriesOf } from "../core/record.ts";
import { vendorOf } from "./door/authenticate.ts";
import { Problem, problemReply } from "./door/problem.ts";
import type { RouteRequest } from "./door/request.ts";
import type { Reply } from "./door/zone.ts";

/** Prefix under which the original answered; its callers may still use it. */
const formerPrefix = "/flux-station";

/** The route key of whatever matches no other route. */
export const defaultRouteKey = "$default";

/**
 * What becomes of a request that matches no route. Former spellings of a path are redirected (308 keeps method and
 * body), or carried out at once where the webhooks' own function has the route: a vendor follows no redirects. A POST
 * with a vendor's full set of headers is a webhook. All else is 404 or 405.
 */
export function placeUnmatched(request: RouteRequest): { routeKey: string } | { reply: Reply } {
  const path = canonical(request.path);
  const found = routeAt(path);
  if (!found) {
    if (request.method === "POST" && vendorOf(request)) return { routeKey: defaultRouteKey };
    return refusal(request, new Problem("not-found", `There is nothing at ${request.path}.`));
  }
  const allowed = found.methods.join(", ");
  if (request.method === "OPTIONS") return { reply: { statusCode: 204, headers: { allow: `${allowed}, OPTIONS` } } };
  const method = found.methods.find((each) => each === request.method);
  if (!method) {
    const detail = `${found.path} takes ${allowed}, not ${request.method}.`;
    return refusal(request, new Problem("method-not-allowed", detail, { headers: { allow: allowed } }));
  }
  if (found.zone === "webhooks") return { routeKey: `${method} ${found.path}` };
  const query = request.query.size > 0 ? `?${request.query}` : "";
  return { reply: { statusCode: 308, headers: { location: `${found.path}${query}` } } };
}

function routeAt(path: string): RouteRecord | undefined {
  return entriesOf<RouteName, RouteRecord>(routes).find(
    ([, route]) =>
      route.path !== defaultRouteKey &&
      (route.path === path || (route.matchesLongerPaths === true && path.startsWith(route.path))),
  )?.[1];
}

function refusal(request: RouteRequest, problem: Problem): { reply: Reply } {
  return { reply: problemReply(problem, request.correlationId) };
}

function canonical(path: string): string {
  const withoutPrefix = path.startsWith(`${formerPrefix}/`) ? path.slice(formerPrefix.length) : path;
  return withoutPrefix.length > 1 ? withoutPrefix.replace(/\/+$/, "") : withoutPrefix;
}
