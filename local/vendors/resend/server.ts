import { Hono } from "hono";
import type { Exchange } from "../recording.ts";
import { createSeededFaults, type StandIn, startStandIn } from "../stand-in.ts";
import { broadcastRoutes, sendDueBroadcasts } from "./broadcasts.ts";
import { contactRoutes } from "./contacts.ts";
import { emailRoutes } from "./emails.ts";
import { ResendRefusal, refusalResponse } from "./errors.ts";
import { eventRoutes } from "./events.ts";
import { createIdempotency } from "./idempotency.ts";
import { createQuota, createRateWindow } from "./limits.ts";
import { hideSignInMail } from "./mail.ts";
import { membershipRoutes } from "./memberships.ts";
import { createOutbox } from "./outbox.ts";
import { propertyRoutes } from "./properties.ts";
import { segmentRoutes } from "./segments.ts";
import { createStore, type ResendSeed } from "./store.ts";
import { suppressionRoutes } from "./suppressions.ts";
import type { ResendEnv, Team } from "./team.ts";
import { stateOf } from "./team-state.ts";
import { topicRoutes } from "./topics.ts";

export type ResendOptions = {
  /** The only key that is let in, `re_…`. */
  apiKey: string;
  now: () => number;
  seed?: ResendSeed;
  record?: (exchange: Exchange) => void;
  port?: number;
  /** Requests per second; 10, the newest published value, unless the `limit` fault says otherwise. */
  limit?: number;
  /** Mails per UTC day and month; without them there is no quota. */
  dailyQuota?: number;
  monthlyQuota?: number;
  /** Seed of the dice that decide faults. */
  seedRandom?: number;
};

/**
 * Resend on this machine: one team, in memory, as the API is published at https://resend.com/docs/api-reference.
 * Not played: domains, API keys, templates, automations, imports, inbound mail, the audiences of old.
 */
export function startResend(options: ResendOptions): Promise<StandIn> {
  const { now } = options;
  const faults = createSeededFaults(options.seedRandom);
  const store = createStore(options.seed ?? {}, now());
  const team: Team = {
    store,
    now,
    outbox: createOutbox(store, now),
    quota: createQuota(now, () => ({
      daily: faults.current().dailyQuota ?? options.dailyQuota,
      monthly: options.monthlyQuota,
    })),
    idempotency: createIdempotency(now),
  };
  const limit = () => faults.current().limit ?? options.limit ?? 10;
  const rateWindow = createRateWindow(now, limit);

  const routes = new Hono<ResendEnv>()
    .use(async (c, next) => {
      requireKey(c.req.header("authorization"), options.apiKey);
      const { allowed, headers } = rateWindow.take();
      if (allowed) {
        sendDueBroadcasts(team);
        await next();
      } else {
        c.res = rateLimited(limit());
      }
      for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
    })
    .route("/emails", emailRoutes(team))
    .route("/contacts", membershipRoutes(team))
    .route("/contacts", contactRoutes(team))
    .route("/contact-properties", propertyRoutes(team))
    .route("/segments", segmentRoutes(team))
    .route("/topics", topicRoutes(team))
    .route("/broadcasts", broadcastRoutes(team))
    .route("/suppressions", suppressionRoutes(team))
    .route("/events", eventRoutes(team));

  routes.notFound(() => refusalResponse("not_found", "The requested endpoint does not exist."));
  routes.onError((error) => {
    if (error instanceof ResendRefusal) return refusalResponse(error.code, error.message);
    return refusalResponse("application_error", `The stand-in failed: ${error.message}`);
  });

  return startStandIn({
    vendor: "resend",
    publishedUrl: "https://api.resend.com",
    routes,
    state: stateOf(team),
    now,
    faults,
    answerFault: (status) =>
      status === 429 ? rateLimited(limit()) : refusalResponse("application_error", "An unexpected error occurred."),
    redactBody: hideSignInMail,
    record: options.record,
    port: options.port,
  });
}

function requireKey(authorization: string | undefined, apiKey: string): void {
  const key = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
  if (key === undefined) throw new ResendRefusal("missing_api_key", "Missing API key in the authorization header.");
  if (key !== apiKey) throw new ResendRefusal("invalid_api_key", "API key is invalid");
}

function rateLimited(limit: number): Response {
  const response = refusalResponse(
    "rate_limit_exceeded",
    `Too many requests. You can only make ${limit} requests per second. See rate limit response headers for more information.`,
  );
  response.headers.set("retry-after", "1");
  return response;
}
