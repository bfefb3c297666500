import type pg from "pg";
import { z } from "zod";
import { ApiError } from "./api-error.ts";

const tableSchema = z.object({ name: z.string(), columns: z.array(z.string()), primary_key: z.array(z.string()) });
const functionSchema = z.object({
  name: z.string(),
  args: z.array(z.object({ name: z.string(), type: z.string(), required: z.boolean() })),
  returns: z.enum(["void", "scalar", "row"]),
  returns_set: z.boolean(),
  volatile: z.boolean(),
});
const schemaSchema = z.object({ tables: z.array(tableSchema), functions: z.array(functionSchema) });

export type Table = z.infer<typeof tableSchema>;
export type Routine = z.infer<typeof functionSchema>;

/** What the schema `public` exposes. Read once, and again when a name is missing: hosted projects reload after DDL. */
export type SchemaCache = {
  table: (name: string) => Promise<Table>;
  routine: (name: string, argNames: string[]) => Promise<Routine>;
  /** Names of every argument that any function of this name takes. */
  argNames: (name: string) => Promise<Set<string>>;
};

const SCHEMA_QUERY = `
select json_build_object(
  'tables', (
    select coalesce(json_agg(json_build_object(
      'name', c.relname,
      'columns', (
        select coalesce(json_agg(a.attname order by a.attnum), '[]') from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ),
      'primary_key', (
        select coalesce(json_agg(a.attname order by k.position), '[]') from pg_index i
        cross join unnest(i.indkey) with ordinality as k (attnum, position)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary
      )
    )), '[]')
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p', 'f')
  ),
  'functions', (
    select coalesce(json_agg(json_build_object(
      'name', p.proname,
      'args', (
        select coalesce(json_agg(json_build_object(
          'name', coalesce(p.proargnames[a.position], ''),
          'type', format_type(a.type, null),
          'required', a.position <= p.pronargs - p.pronargdefaults
        ) order by a.position), '[]')
        from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as a (type, position)
        where coalesce(p.proargmodes[a.position], 'i') in ('i', 'b', 'v')
      ),
      'returns', case
        when p.prorettype = 'void'::regtype then 'void'
        when t.typtype = 'c' or p.prorettype = 'record'::regtype then 'row'
        else 'scalar'
      end,
      'returns_set', p.proretset,
      'volatile', p.provolatile = 'v'
    )), '[]')
    from pg_proc p join pg_type t on t.oid = p.prorettype
    where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
  )
) as schema`;

export function createSchemaCache(pool: pg.Pool): SchemaCache {
  let loading: Promise<z.infer<typeof schemaSchema>> | undefined;
  const load = (again: boolean) => {
    if (again || !loading) {
      loading = pool
        .query<{ schema: unknown }>(SCHEMA_QUERY)
        .then((result) => schemaSchema.parse(result.rows[0]?.schema));
      loading.catch(() => {
        loading = undefined;
      });
    }
    return loading;
  };
  return {
    table: async (name) => {
      const find = async (again: boolean) => (await load(again)).tables.find((table) => table.name === name);
      const found = (await find(false)) ?? (await find(true));
      if (found) return found;
      throw new ApiError(404, {
        code: "PGRST205",
        message: `Could not find the table 'public.${name}' in the schema cache`,
      });
    },
    routine: async (name, argNames) => {
      const find = async (again: boolean) =>
        (await load(again)).functions.filter((routine) => accepts(routine, name, argNames));
      let found = await find(false);
      if (found.length === 0) found = await find(true);
      if (found.length > 1) {
        const message = `Could not choose the best candidate function between: ${found.map(signatureOf).join(", ")}`;
        throw new ApiError(300, { code: "PGRST203", message });
      }
      if (found[0]) return found[0];
      throw noRoutine(name, argNames);
    },
    argNames: async (name) => {
      const routines = (await load(false)).functions.filter((routine) => routine.name === name);
      return new Set(routines.flatMap((routine) => routine.args.map((arg) => arg.name)));
    },
  };
}

function accepts(routine: Routine, name: string, argNames: string[]): boolean {
  if (routine.name !== name) return false;
  const known = new Set(routine.args.map((arg) => arg.name));
  const given = new Set(argNames);
  return argNames.every((arg) => known.has(arg)) && routine.args.every((arg) => !arg.required || given.has(arg.name));
}

function signatureOf(routine: Routine): string {
  return `public.${routine.name}(${routine.args.map((arg) => `${arg.name} => ${arg.type}`).join(", ")})`;
}

function noRoutine(name: string, argNames: string[]): ApiError {
  const list = argNames.join(", ");
  const shown = list ? `(${list})` : " without parameters";
  const searched = list
    ? ` with parameter${argNames.length > 1 ? "s" : ""} ${list} or with a single unnamed json/jsonb parameter`
    : " without parameters";
  return new ApiError(404, {
    code: "PGRST202",
    message: `Could not find the function public.${name}${shown} in the schema cache`,
    details: `Searched for the function public.${name}${searched}, but no matches were found in the schema cache.`,
  });
}
