import { createHash } from "node:crypto";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { RouteName, RouteRecord } from "../../../registry/routes.ts";
import { Deferred, InvalidInput, MissingConfiguration } from "../../core/outcome.ts";
import { ProviderMisconfigured, ProviderUnavailable } from "../../core/provider-failure.ts";
import { entriesOf } from "../../core/record.ts";
import { lazy } from "../../runtime/lazy.ts";
import { log, withLogScope } from "../../runtime/logger.ts";
import { authenticate, type Caller, type Credentials, clientOf } from "./authenticate.ts";
import type { Once } from "./idempotency.ts";
import { Problem, problemReply } from "./problem.ts";
import type { RateLimit } from "./rate-limit.ts";
import { prefersHtml, type RouteRequest, refuseOversized, requestOf } from "./request.ts";

export type Reply = APIGatewayProxyStructuredResultV2;

/** What a route does once its caller is let in. */
export type Route = (request: RouteRequest, caller: Caller) => Promise<Reply>;

export interface ZoneParts<N extends RouteName> {
  /** The records of all routes, with the adopter's overrides. */
  records: Record<RouteName, RouteRecord>;
  /** Each route is built on first use, so that what one lacks does not take down the others. */
  routes: Record<N, () => Promise<Route>>;
  rateLimit: RateLimit;
  credentials: Credentials;
  once: Once;
  /** For routes that people open in a browser: the page that tells them of a problem. */
  problemPages?: Partial<Record<N, (problem: Problem) => string>>;
}

const securityHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "strict-origin-when-cross-origin",
  "permissions-policy": "geolocation=(), microphone=(), camera=()",
};

export type ZoneHandler = (event: APIGatewayProxyEventV2, context: Context) => Promise<Reply>;

/** The Lambda handler of a trust zone: count, authenticate, measure, carry out once, answer. */
export function createZone<N extends RouteName>(build: () => Promise<ZoneParts<N>>): ZoneHandler {
  const parts = lazy(build);
  return async (event, context) => {
    const request = requestOf(event);
    return withLogScope({ correlationId: request.correlationId, route: event.routeKey }, async () => {
      const reply = await answer(await parts(), event, request, context);
      log.info("request.answered", { status: reply.statusCode });
      return {
        ...reply,
        ...(request.method === "HEAD" ? { body: "" } : {}),
        headers: { ...securityHeaders, "x-correlation-id": request.correlationId, ...reply.headers },
      };
    });
  };
}

async function answer<N extends RouteName>(
  parts: ZoneParts<N>,
  event: APIGatewayProxyEventV2,
  request: RouteRequest,
  context: Context,
): Promise<Reply> {
  let limits: Record<string, string> = {};
  let problemPage: ((problem: Problem) => string) | undefined;
  try {
    const { name, build } = routeOf(parts, event.routeKey);
    problemPage = prefersHtml(request) ? parts.problemPages?.[name] : undefined;
    const { auth, bucket, maxBodyBytes } = parts.records[name];
    limits = await parts.rateLimit.take(bucket, await clientOf(request, parts.credentials));
    // Before any signature is computed or a captcha's token used up.
    refuseOversized(request, maxBodyBytes);
    const caller = await authenticate(auth, request, parts.credentials);
    const carryOut = async () => (await build())(request, caller);
    const key = request.method === "POST" ? idempotencyKey(request) : undefined;
    const reply = key
      ? await parts.once(
          { key: `${name}/${caller.identity}/${key}`, bodyHash: hashOf(request.body) },
          context,
          carryOut,
        )
      : await carryOut();
    return { ...reply, headers: { ...limits, ...reply.headers } };
  } catch (error) {
    const problem = problemOf(error, parts.credentials.now());
    const reply = problemReply(problem, request.correlationId, problemPage);
    return { ...reply, headers: { ...limits, ...reply.headers } };
  }
}

function routeOf<N extends RouteName>(
  { routes, records }: ZoneParts<N>,
  routeKey: string,
): { name: N; build: () => Promise<Route> } {
  for (const [name, build] of entriesOf(routes)) {
    const { path, methods } = records[name];
    if (path === routeKey || methods.some((method) => `${method} ${path}` === routeKey)) return { name, build };
  }
  throw new Problem("not-found", `${routeKey} does not belong to this function: the stack and the registry disagree.`);
}

function idempotencyKey({ headers }: RouteRequest): string | undefined {
  const key = headers["idempotency-key"];
  if (key !== undefined && (key.length === 0 || key.length > 256))
    throw new Problem("invalid-request", "Idempotency-Key must have 1 to 256 characters.");
  return key;
}

function hashOf(body: Buffer): string {
  return createHash("sha256").update(body).digest("hex");
}

function problemOf(error: unknown, nowMs: number): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InvalidInput) return new Problem("invalid-body", error.message);
  log.error("request.failed", error);
  // The message names settings and where they belong, never their values.
  if (error instanceof MissingConfiguration) return new Problem("missing-configuration", error.message);
  if (error instanceof ProviderUnavailable || error instanceof ProviderMisconfigured || error instanceof Deferred)
    return new Problem("unavailable", "A service that this needs does not answer. Try again in a moment.", {
      headers: { "retry-after": String(retryAfterSeconds(error, nowMs)) },
    });
  return new Problem(
    "internal-error",
    "The request was not carried out. Try again; the correlation id finds it in our logs.",
  );
}

/** In a moment, unless it is known that it takes longer. */
function retryAfterSeconds(error: Error, nowMs: number): number {
  const untilMs = error instanceof Deferred ? error.untilMs : undefined;
  const restMs = error instanceof ProviderUnavailable ? error.restUntilMs : untilMs;
  return Math.max(5, Math.ceil(((restMs ?? nowMs) - nowMs) / 1000));
}
