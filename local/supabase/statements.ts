import pg from "pg";
import { ApiError } from "./api-error.ts";
import { filterSql, type Query } from "./query-string.ts";
import type { Routine, Table } from "./schema-cache.ts";

/** Supabase's `max_rows`: no read returns more, and none says so. */
const MAX_ROWS = 1_000;

/** One statement that yields one row `{body, page_total, total}`; `body` is the JSON text of the answer. */
export type Statement = { text: string; values: unknown[] };

/** A request's JSON as it came, so that no number loses digits on the way, and the keys found in it. */
export type Payload = { json: string; keys: string[] };

const id = (name: string) => pg.escapeIdentifier(name);

export function readTable(table: Table, query: Query, countRows: boolean): Statement {
  const values: unknown[] = [];
  return { text: readSql(`public.${id(table.name)}`, id(table.name), query, countRows, binder(values)), values };
}

/** Inserts an array of rows; `resolution` is what to do with those whose `on_conflict` columns (or primary key) exist. */
export function insertRows(
  table: Table,
  query: Query,
  payload: Payload,
  resolution: "merge-duplicates" | "ignore-duplicates" | undefined,
  returning: boolean,
): Statement {
  const relation = id(table.name);
  const columns = query.columns.length > 0 ? query.columns : payload.keys;
  checkColumns(table, columns);
  if (columns.length === 0) {
    return {
      text: mutationSql(`insert into public.${relation} default values`, relation, query, returning),
      values: [],
    };
  }
  const names = columns.map(id).join(", ");
  const target = query.onConflict.length > 0 ? query.onConflict : table.primary_key;
  const merge = columns.filter((name) => !target.includes(name)).map((name) => `${id(name)} = excluded.${id(name)}`);
  const action =
    resolution === "merge-duplicates" && merge.length > 0 ? `do update set ${merge.join(", ")}` : "do nothing";
  const conflict = resolution && target.length > 0 ? `on conflict (${target.map(id).join(", ")}) ${action}` : "";
  const text = `insert into public.${relation} (${names})
    select ${names} from json_populate_recordset(null::public.${relation}, $1::json) ${conflict}`;
  return { text: mutationSql(text, relation, query, returning), values: [payload.json] };
}

export function updateRows(table: Table, query: Query, payload: Payload, returning: boolean): Statement {
  const columns = query.columns.length > 0 ? query.columns : payload.keys;
  checkColumns(table, columns);
  const values: unknown[] = [payload.json];
  const relation = id(table.name);
  const sets = columns.map((column) => `${id(column)} = _new.${id(column)}`).join(", ");
  const where = requiredWhere("UPDATE", relation, query, binder(values));
  const text = `update public.${relation} set ${sets}
    from json_populate_record(null::public.${relation}, $1::json) as _new ${where}`;
  return { text: mutationSql(text, relation, query, returning), values };
}

export function deleteRows(table: Table, query: Query, returning: boolean): Statement {
  const values: unknown[] = [];
  const relation = id(table.name);
  const where = requiredWhere("DELETE", relation, query, binder(values));
  return { text: mutationSql(`delete from public.${relation} ${where}`, relation, query, returning), values };
}

/** Calls a function with named arguments; a set or a row can be filtered, ordered and paged like a table. */
export function callRoutine(routine: Routine, payload: Payload, query: Query, countRows: boolean): Statement {
  const values: unknown[] = [];
  const bind = binder(values);
  const given = routine.args.filter((arg) => payload.keys.includes(arg.name));
  const passed = given.map((arg) => `${id(arg.name)} => _args.${id(arg.name)}`).join(", ");
  const call = `public.${id(routine.name)}(${passed})`;
  const types = given.map((arg) => `${id(arg.name)} ${arg.type}`).join(", ");
  const input =
    given.length > 0 ? `json_to_record(${bind(payload.json)}::json) as _args (${types})` : "(select) as _args";

  if (routine.returns === "row") {
    const source = `(select _call.* from ${input}, lateral ${call} as _call)`;
    const text = readSql(source, id(routine.name), query, countRows, bind);
    if (routine.returns_set) return { text, values };
    return {
      text: `select coalesce(_rows.body::json -> 0, 'null')::text as body, 1 as page_total, 1 as total from (${text}) _rows`,
      values,
    };
  }
  if (routine.returns_set) {
    const source = `select _call.value from ${input}, lateral ${call} as _call (value) limit ${pageSize(query)} offset ${query.offset}`;
    return {
      text: `select coalesce(json_agg(value), '[]')::text as body, count(*)::integer as page_total, null as total from (${source}) _rows`,
      values,
    };
  }
  const result =
    routine.returns === "void"
      ? `(select 'null' from (select ${call}) _void)`
      : `coalesce(to_json(${call})::text, 'null')`;
  return { text: `select ${result} as body, 1 as page_total, null as total from ${input}`, values };
}

function readSql(
  from: string,
  relation: string,
  query: Query,
  countRows: boolean,
  bind: (value: unknown) => string,
): string {
  const where = whereSql(relation, query, bind);
  const order = query.order.map((item) => {
    const nulls = item.nulls ? ` nulls ${item.nulls}` : "";
    return `${relation}.${id(item.column)} ${item.direction}${nulls}`;
  });
  const orderBy = order.length > 0 ? `order by ${order.join(", ")}` : "";
  const total = countRows ? `(select count(*)::integer from ${from} as ${relation} ${where})` : "null";
  return `with _source as (
    select ${selectList(relation, query)} from ${from} as ${relation} ${where} ${orderBy} limit ${pageSize(query)} offset ${query.offset}
  )
  select coalesce(json_agg(_row), '[]')::text as body, count(_row)::integer as page_total, ${total} as total
  from (select * from _source) _row`;
}

function mutationSql(mutation: string, relation: string, query: Query, returning: boolean): string {
  const list = returning ? selectList(relation, query) : "1";
  const body = returning ? `coalesce(json_agg(_row), '[]')::text` : `''`;
  return `with _source as (${mutation} returning ${list})
  select ${body} as body, count(_row)::integer as page_total, count(_row)::integer as total from (select * from _source) _row`;
}

function selectList(relation: string, query: Query): string {
  const items = query.select.map((item) => {
    if (item.column === "*") return `${relation}.*`;
    const cast = item.cast ? `::${id(item.cast)}` : "";
    return `${relation}.${id(item.column)}${cast} as ${id(item.alias ?? item.column)}`;
  });
  return items.join(", ");
}

function whereSql(relation: string, query: Query, bind: (value: unknown) => string): string {
  if (query.filters.length === 0) return "";
  return `where ${query.filters.map((filter) => filterSql(relation, filter, bind)).join(" and ")}`;
}

/** Hosted projects load pg-safeupdate for API requests. */
function requiredWhere(verb: string, relation: string, query: Query, bind: (value: unknown) => string): string {
  if (query.filters.length === 0)
    throw new ApiError(400, { code: "21000", message: `${verb} requires a WHERE clause` });
  return whereSql(relation, query, bind);
}

function checkColumns(table: Table, columns: string[]): void {
  const unknown = columns.find((column) => !table.columns.includes(column));
  if (unknown === undefined) return;
  throw new ApiError(400, {
    code: "PGRST204",
    message: `Could not find the '${unknown}' column of '${table.name}' in the schema cache`,
  });
}

function pageSize(query: Query): number {
  return Math.min(query.limit ?? MAX_ROWS, MAX_ROWS);
}

function binder(values: unknown[]): (value: unknown) => string {
  return (value) => {
    values.push(value);
    return `$${values.length}`;
  };
}
