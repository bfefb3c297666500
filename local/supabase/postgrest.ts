import { once } from "node:events";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import pg from "pg";
import { z } from "zod";
import { ApiError, notOnThisMachine, toApiError } from "./api-error.ts";
import { parseQuery, type Query } from "./query-string.ts";
import { createSchemaCache, type SchemaCache } from "./schema-cache.ts";
import {
  callRoutine,
  deleteRows,
  insertRows,
  type Payload,
  readTable,
  type Statement,
  updateRows,
} from "./statements.ts";
import { readSession, type Session } from "./tokens.ts";
import { publicKeys } from "./user-tokens.ts";

const DEFAULT_STATEMENT_TIMEOUT_MS = 8_000;
const POOL_SIZE = 10;
const POOL_TIMEOUT_MS = 10_000;
const SINGULAR = "application/vnd.pgrst.object+json";
const BASE_HEADERS = { "content-type": "application/json; charset=utf-8" };

type SupabaseOptions = {
  /** Superuser URL of the database; requests run as the role `authenticator`, switched to the caller's role. */
  connectionString: string;
  /** HS256 secret of the project keys and user tokens. */
  jwtSecret: string;
  /** ES256 key (JWK as JSON) whose public half `/auth/v1/.well-known/jwks.json` tells; no keys when absent. */
  userSigningKey?: string;
  /** Milliseconds since the epoch; decides whether a token has expired. */
  now: () => number;
  /** Port on 127.0.0.1; a free one when absent. */
  port?: number;
  /** Hosted projects stop a statement after 8 s. */
  statementTimeoutMs?: number;
};

type Service = { pool: pg.Pool; schema: SchemaCache; options: SupabaseOptions };
type Result = { body: string; page_total: number; total: number | null };
type Call = { method: string; headers: Headers; params: URLSearchParams; body: string; session: Session };

/**
 * Serves the part of PostgREST's API that `@supabase/supabase-js` uses for tables and functions of schema `public`.
 * What it does not do answers 400 `PGRST127`.
 */
export async function startSupabase(options: SupabaseOptions): Promise<{ url: string; close: () => Promise<void> }> {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: POOL_SIZE,
    connectionTimeoutMillis: POOL_TIMEOUT_MS,
  });
  // A lost connection is not an event here; the next request gets a new one or says that there is none.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  const service = { pool, schema: createSchemaCache(pool), options };

  const app = new Hono();
  app.all("/rest/v1/rpc/:name", (context) =>
    answer(service, context.req.raw, (call) => rpc(service, context.req.param("name"), call)),
  );
  app.all("/rest/v1/:table", (context) =>
    answer(service, context.req.raw, (call) => table(service, context.req.param("table"), call)),
  );
  app.get("/auth/v1/.well-known/jwks.json", () =>
    Response.json(options.userSigningKey ? publicKeys(options.userSigningKey) : { keys: [] }),
  );
  app.notFound(() => Response.json({ message: "no Route matched with those values" }, { status: 404 }));

  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: options.port ?? 0 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new Error("The Supabase stand-in has no port to listen on");
  const close = async () => {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
    await once(server, "close");
    await pool.end();
  };
  return { url: `http://127.0.0.1:${address.port}`, close };
}

async function answer(
  service: Service,
  request: Request,
  handle: (call: Call) => Promise<Response>,
): Promise<Response> {
  let anonymous = true;
  try {
    const session = await readSession(request.headers, service.options.jwtSecret, service.options.now);
    anonymous = session.role === "anon";
    const profile = request.headers.get("content-profile") ?? request.headers.get("accept-profile") ?? "public";
    if (profile !== "public") {
      throw new ApiError(406, {
        code: "PGRST106",
        message: `Invalid schema: ${profile}`,
        hint: "Only the following schemas are exposed: public",
      });
    }
    const { searchParams } = new URL(request.url);
    return await handle({
      method: request.method,
      headers: request.headers,
      params: searchParams,
      body: await request.text(),
      session,
    });
  } catch (error) {
    const { status, body, headers } = toApiError(error, anonymous);
    const { code = null, details = null, hint = null, message } = body;
    return Response.json({ code, details, hint, message }, { status, headers: { ...BASE_HEADERS, ...headers } });
  }
}

async function rpc(service: Service, name: string, call: Call): Promise<Response> {
  const byQuery = call.method === "GET" || call.method === "HEAD";
  if (!byQuery && call.method !== "POST") {
    throw new ApiError(405, { code: "PGRST101", message: `Cannot use the ${call.method} method on RPC` });
  }
  const known: ReadonlySet<string> = byQuery ? await service.schema.argNames(name) : new Set();
  const query = withRange(parseQuery(call.params, known), call.headers);
  const payload = parseObject(
    byQuery
      ? JSON.stringify(Object.fromEntries([...call.params].filter(([key]) => known.has(key))))
      : call.body || "{}",
  );
  const routine = await service.schema.routine(name, payload.keys);
  const statement = callRoutine(routine, payload, query, wantsCount(call));
  const result = await run(service, call, statement, byQuery || !routine.volatile);
  if (routine.returns === "void") return new Response(null, { status: 204 });
  if (routine.returns_set) return page(call, query, result);
  return new Response(call.method === "HEAD" ? null : result.body, { status: 200, headers: BASE_HEADERS });
}

async function table(service: Service, name: string, call: Call): Promise<Response> {
  const found = await service.schema.table(name);
  const query = withRange(parseQuery(call.params), call.headers);
  const preferences = preferencesOf(call);
  const returning = preferences.has("return=representation");
  switch (call.method) {
    case "GET":
    case "HEAD":
      return page(call, query, await run(service, call, readTable(found, query, wantsCount(call)), true));
    case "POST": {
      const rows = parseRows(call.body);
      if (preferences.has("missing=default")) throw notOnThisMachine('"Prefer: missing=default"');
      const resolution = (["merge-duplicates", "ignore-duplicates"] as const).find((one) =>
        preferences.has(`resolution=${one}`),
      );
      if (rows.count === 0) return changed(call, { body: "[]", page_total: 0, total: 0 }, 201, returning);
      return changed(
        call,
        await run(service, call, insertRows(found, query, rows, resolution, returning)),
        201,
        returning,
      );
    }
    case "PATCH":
      return changed(
        call,
        await run(service, call, updateRows(found, query, parseObject(call.body), returning)),
        200,
        returning,
      );
    case "DELETE":
      return changed(call, await run(service, call, deleteRows(found, query, returning)), 200, returning);
    default:
      throw new ApiError(405, { code: "PGRST117", message: `Unsupported HTTP method: ${call.method}` });
  }
}

/** Runs one statement as the caller, in its own transaction. */
async function run(service: Service, call: Call, statement: Statement, readOnly = false): Promise<Result> {
  const settings = {
    role: call.session.role,
    "request.jwt.claims": JSON.stringify(call.session.claims),
    "request.method": call.method,
    statement_timeout: String(service.options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS),
    search_path: "public",
  };
  const set = Object.entries(settings).map(([key, value]) => `set_config('${key}', ${pg.escapeLiteral(value)}, true)`);
  const client = await service.pool.connect();
  let broken = false;
  try {
    // The authenticator may become only the roles it was granted, which a superuser's own session would not show.
    await client.query(
      `begin ${readOnly ? "read only" : ""}; set local session authorization authenticator; select ${set.join(", ")}`,
    );
    const rows = await client.query<Result>(statement.text, statement.values);
    const result = rows.rows[0];
    if (!result) throw new Error("The statement gave no row");
    if (isSingular(call) && result.page_total !== 1) throw notOneRow(result.page_total);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** The answer to a read: 206 when the count shows that there is more, 416 when the page begins after the end. */
function page(call: Call, query: Query, result: Result): Response {
  const { page_total: rows, total } = result;
  if (total !== null && query.offset > total) {
    const details = `An offset of ${query.offset} was requested, but there are only ${total} rows.`;
    throw new ApiError(
      416,
      { code: "PGRST103", message: "Requested range not satisfiable", details },
      { "content-range": `*/${total}` },
    );
  }
  const range = rows === 0 ? "*" : `${query.offset}-${query.offset + rows - 1}`;
  const headers = { ...contentType(call), "content-range": `${range}/${total ?? "*"}` };
  const status = total !== null && rows < total ? 206 : 200;
  return new Response(call.method === "HEAD" ? null : bodyOf(call, result), { status, headers });
}

function changed(call: Call, result: Result, status: number, returning: boolean): Response {
  const headers = { "content-range": `*/${wantsCount(call) ? result.page_total : "*"}` };
  if (!returning) return new Response(null, { status: status === 201 ? 201 : 204, headers });
  return new Response(bodyOf(call, result), { status, headers: { ...contentType(call), ...headers } });
}

/** A singular answer is the one element of the array, as Postgres wrote it. */
function bodyOf(call: Call, result: Result): string {
  return isSingular(call) ? result.body.slice(1, -1) : result.body;
}

function contentType(call: Call): Record<string, string> {
  return isSingular(call) ? { "content-type": `${SINGULAR}; charset=utf-8` } : BASE_HEADERS;
}

function isSingular(call: Call): boolean {
  return call.headers.get("accept")?.startsWith(SINGULAR) ?? false;
}

function wantsCount(call: Call): boolean {
  return [...preferencesOf(call)].some((preference) => preference.startsWith("count="));
}

function preferencesOf(call: Call): Set<string> {
  return new Set((call.headers.get("prefer") ?? "").split(",").map((preference) => preference.trim()));
}

function withRange(query: Query, headers: Headers): Query {
  const parts = /^(\d+)-(\d*)$/.exec(headers.get("range") ?? "");
  if (!parts || query.limit !== undefined) return query;
  const offset = Number(parts[1]);
  return { ...query, offset, limit: parts[2] ? Number(parts[2]) - offset + 1 : undefined };
}

/** One row or an array of rows that all have the same keys. */
function parseRows(body: string): Payload & { count: number } {
  const parsed = parseJson(body);
  if (!Array.isArray(parsed)) return { json: `[${body}]`, keys: keysOf(parsed), count: 1 };
  const [keys = [], ...rest] = parsed.map(keysOf);
  const first = new Set(keys);
  if (rest.some((other) => other.length !== first.size || other.some((key) => !first.has(key)))) {
    throw new ApiError(400, { code: "PGRST102", message: "All object keys must match" });
  }
  return { json: body, keys, count: parsed.length };
}

function parseObject(body: string): Payload {
  return { json: body, keys: keysOf(parseJson(body)) };
}

function keysOf(value: unknown): string[] {
  const parsed = z.record(z.string(), z.unknown()).safeParse(value);
  if (!parsed.success) throw badBody();
  return Object.keys(parsed.data);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw badBody();
  }
}

function badBody(): ApiError {
  return new ApiError(400, { code: "PGRST102", message: "Empty or invalid json" });
}

function notOneRow(rows: number): ApiError {
  const message = "Cannot coerce the result to a single JSON object";
  return new ApiError(406, { code: "PGRST116", message, details: `The result contains ${rows} rows` });
}
