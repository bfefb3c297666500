import { setTimeout as delay } from "node:timers/promises";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { type Call, createCallLog } from "./call-log.ts";
import { createFaultPanel, type FaultOutcome, type FaultPanel, InvalidFaults } from "./faults.ts";
import type { Exchange } from "./recording.ts";
import { redactBody, redactHeaders } from "./redaction.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { selectState, UnknownStatePart } from "./state-view.ts";

/**
 * What a vendor's routes find in `c.env`. `work` takes as long as the `latencyMs` fault says; a vendor awaits it
 * where its real counterpart would be busy. Where a vendor does not, the wait comes after its routes are done.
 */
export type VendorBindings = { work: () => Promise<void> };

/** The environment of a vendor's Hono app. */
export type VendorEnv = { Bindings: VendorBindings };

export type StandInOptions<Env extends VendorEnv = VendorEnv> = {
  vendor: string;
  /** Where the real vendor lives, e.g. `https://api.resend.com`; recordings show this address. */
  publishedUrl: string;
  routes: Hono<Env>;
  /** Parts of `GET /_state`, each built only when asked for. */
  state: Record<string, () => unknown>;
  /** Milliseconds since the epoch, by the station's clock. */
  now: () => number;
  /** Shared with the vendor's routes where they read `limit` live; by default one of its own. */
  faults?: FaultPanel;
  /** For faults, when `faults` is not given. */
  seed?: number;
  /** How the vendor words the 429 and 500 of a fault. */
  answerFault?: (status: 429 | 500) => Response;
  record?: (exchange: Exchange) => void;
  /** Hides credentials that a vendor's callers put in fields of their own; gets the body as it would be shown. */
  redactBody?: (body: unknown) => unknown;
  /** Hides credentials that a vendor carries in its path. */
  redactPath?: (path: string) => string;
  /** 0, the default, takes any free port. */
  port?: number;
};

export type StandIn = { url: string; close: () => Promise<void> };

type Outcome = { status: number | null; response: unknown; responseSize: number; fault: FaultOutcome };

/** The fault panel of a stand-in whose outcomes repeat for the same seed. */
export function createSeededFaults(seed = 1): FaultPanel {
  return createFaultPanel(createSeededRandom(seed));
}

/**
 * Starts a vendor on 127.0.0.1: its own routes, plus `/_calls`, `/_state` and `/_faults` that the station's tests and
 * operators use. `close` ends at once, whatever is still waiting for an answer.
 */
export async function startStandIn<Env extends VendorEnv>(options: StandInOptions<Env>): Promise<StandIn> {
  const faults = options.faults ?? createSeededFaults(options.seed);
  const calls = createCallLog();
  const closing = new AbortController();
  const answerFault = options.answerFault ?? plainFaultAnswer;
  const hide = options.redactBody ?? ((body: unknown) => body);
  const redactPath = options.redactPath ?? ((path: string) => path);

  function note(call: Omit<Call, "seq" | "status" | "response">, size: number, outcome: Outcome): void {
    const { status, response } = outcome;
    const { at, method, path, ...request } = call;
    const fault = outcome.fault === "none" ? {} : { fault: outcome.fault };
    calls.add({ ...call, status, response, ...fault }, size + outcome.responseSize);
    const url = options.publishedUrl + path;
    options.record?.({ at, vendor: options.vendor, method, url, ...request, status, response, ...fault });
  }

  async function handleVendorCall(c: Context<{ Bindings: HttpBindings }>): Promise<Response> {
    const at = new Date(options.now()).toISOString();
    const { incoming } = c.env;
    const fault = faults.draw();
    const text = await c.req.text();
    const url = new URL(c.req.url);
    const call = {
      at,
      method: c.req.method,
      path: redactPath(url.pathname + url.search),
      headers: redactHeaders(c.req.raw.headers),
      body: text === "" ? null : hide(redactBody(parseBody(text, c.req.header("content-type")))),
      correlationId: c.req.header("x-correlation-id") ?? null,
    };
    const noteOutcome = (outcome: Outcome) => note(call, text.length, outcome);
    const noteUnanswered = () => noteOutcome({ status: null, response: null, responseSize: 0, fault });

    if (fault === "reset") {
      noteUnanswered();
      incoming.socket.destroy();
      return RESPONSE_ALREADY_SENT;
    }
    if (fault === "hang") {
      noteUnanswered();
      await socketClosed(incoming.socket);
      return RESPONSE_ALREADY_SENT;
    }

    let working: Promise<void> | undefined;
    const work = () => {
      working ??= waitFor(faults.current().latencyMs ?? 0, closing.signal);
      return working;
    };
    const answer =
      fault === "rate429" || fault === "rate5xx"
        ? answerFault(fault === "rate429" ? 429 : 500)
        : await options.routes.fetch(copyRequest(c.req.raw, text), { work });
    await work();

    if (fault === "acceptThenTimeout") {
      noteUnanswered();
      await socketClosed(incoming.socket);
      return RESPONSE_ALREADY_SENT;
    }
    const answerText = await answer.clone().text();
    const response = answerText === "" ? null : redactBody(parseOrKeep(answerText));
    noteOutcome({ status: answer.status, response, responseSize: answerText.length, fault });
    return answer;
  }

  const app = new Hono<{ Bindings: HttpBindings }>()
    .get("/_calls", (c) => c.json(calls.after(Number(c.req.query("after") ?? 0))))
    .get("/_state", (c) => {
      try {
        return c.json(selectState(options.state, { only: c.req.query("only"), fields: c.req.query("fields") }));
      } catch (error) {
        if (error instanceof UnknownStatePart) return c.json({ error: error.message }, 400);
        throw error;
      }
    })
    .get("/_faults", (c) => c.json(faults.current()))
    .put("/_faults", async (c) => {
      try {
        faults.replace(parseOrKeep(await c.req.text()));
        return c.json(faults.current());
      } catch (error) {
        if (error instanceof InvalidFaults) return c.json({ error: error.message }, 400);
        throw error;
      }
    })
    .all("*", handleVendorCall);

  // A caller who hangs up while still sending is no news; Hono would print it.
  app.onError((error) => Response.json({ error: `the stand-in failed: ${error.message}` }, { status: 500 }));

  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error(`the stand-in of ${options.vendor} listens on ${address}, not on a TCP port`);
  }

  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        closing.abort();
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      }),
  };
}

function plainFaultAnswer(status: 429 | 500): Response {
  const headers = status === 429 ? { "retry-after": "1" } : undefined;
  return Response.json(
    { message: status === 429 ? "Too many requests" : "Internal server error" },
    { status, headers },
  );
}

/** A form's fields are an object, so that its credentials can be found by name. */
function parseBody(text: string, contentType = ""): unknown {
  if (!contentType.startsWith("application/x-www-form-urlencoded")) return parseOrKeep(text);
  return Object.fromEntries(new URLSearchParams(text));
}

function parseOrKeep(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function copyRequest(request: Request, text: string): Request {
  const body = text === "" ? undefined : text;
  return new Request(request.url, { method: request.method, headers: request.headers, body });
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return;
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Aborted: the stand-in is closing and the caller's socket with it.
  }
}

function socketClosed(socket: HttpBindings["incoming"]["socket"]): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve());
  });
}
