import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";

// Asked of the catalogue, so that a table or function added later cannot be forgotten.

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

describe("every table", () => {
  it("has row security on", async () => {
    const tables = await db.query<{ relname: string; relrowsecurity: boolean }>(
      `select relname, relrowsecurity from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
    );
    expect(tables.length).toBeGreaterThanOrEqual(12);
    expect(tables.filter((table) => !table.relrowsecurity)).toEqual([]);
  });

  it("is closed to anon and users, except that content can be read", async () => {
    const open = await db.query(
      `select c.relname, role, privilege from pg_class c
       cross join unnest(array['anon', 'authenticated']) role
       cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate']) privilege
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
         and has_table_privilege(role, c.oid, privilege) order by role`,
    );
    expect(open).toEqual([
      { relname: "content", role: "anon", privilege: "select" },
      { relname: "content", role: "authenticated", privilege: "select" },
    ]);
  });

  it("is open to the service role", async () => {
    const closed = await db.query(
      `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')
         and not has_table_privilege('service_role', oid, 'select, insert, update, delete')`,
    );
    expect(closed).toEqual([]);
  });
});

it("no view lends its owner's rights", async () => {
  const views = await db.query<{ relname: string; reloptions: string[] | null }>(
    `select relname, reloptions from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'`,
  );
  expect(views.length).toBeGreaterThan(0);
  expect(views.filter((view) => !view.reloptions?.includes("security_invoker=true"))).toEqual([]);
});

describe("every function", () => {
  it("is executable by the service role and by no other caller", async () => {
    const functions = await db.query<{ name: string; anon: boolean; authenticated: boolean; service: boolean }>(
      `select oid::regprocedure::text as name, has_function_privilege('anon', oid, 'execute') as anon,
         has_function_privilege('authenticated', oid, 'execute') as authenticated,
         has_function_privilege('service_role', oid, 'execute') as service
       from pg_proc where pronamespace = 'public'::regnamespace`,
    );
    expect(functions.length).toBeGreaterThanOrEqual(14);
    expect(functions.filter((one) => one.anon || one.authenticated || !one.service)).toEqual([]);
  });

  it("names every object in full, so that no search path can swap one", async () => {
    const loose = await db.query(
      `select oid::regprocedure::text as name from pg_proc
       where pronamespace = 'public'::regnamespace and not coalesce(proconfig @> '{"search_path=\\"\\""}', false)`,
    );
    expect(loose).toEqual([]);
  });
});

it("a table or function made by a later migration is closed from the start", async () => {
  await db.query("create table public.later (id integer)");
  await db.query("create function public.later_still() returns integer language sql as 'select 1'");
  const [open] = await db.query(
    `select has_table_privilege('anon', 'public.later', 'select') as reads,
       has_function_privilege('authenticated', 'public.later_still()', 'execute') as executes`,
  );
  expect(open).toEqual({ reads: false, executes: false });
});
