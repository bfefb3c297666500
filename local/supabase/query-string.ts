import pg from "pg";
import { ApiError, notOnThisMachine } from "./api-error.ts";

/** What a request's query string asks for, still as names and texts; `statements.ts` turns it into SQL. */
export type Query = {
  select: { column: string; alias: string | undefined; cast: string | undefined }[];
  filters: { column: string; negated: boolean; operator: Operator; value: string }[];
  order: { column: string; direction: "asc" | "desc"; nulls: "first" | "last" | undefined }[];
  limit: number | undefined;
  offset: number;
  onConflict: string[];
  columns: string[];
};

const OPERATORS = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  like: "like",
  ilike: "ilike",
  is: "is",
  in: "in",
} as const;
type Operator = keyof typeof OPERATORS;

const RESERVED = new Set(["select", "order", "limit", "offset", "on_conflict", "columns"]);
const IS_VALUES = new Set(["null", "not_null", "true", "false", "unknown"]);

/** Parses a query string; parameters named in `ignored` (arguments of a function called by GET) are left alone. */
export function parseQuery(params: URLSearchParams, ignored: ReadonlySet<string> = new Set()): Query {
  const query: Query = {
    select: list(params.get("select") ?? "*").map(parseSelectItem),
    filters: [],
    order: list(params.get("order") ?? "").map(parseOrderItem),
    limit: parseCount(params, "limit"),
    offset: parseCount(params, "offset") ?? 0,
    onConflict: list(params.get("on_conflict") ?? "").map(unquote),
    columns: list(params.get("columns") ?? "").map(unquote),
  };
  for (const [key, value] of params) {
    if (RESERVED.has(key) || ignored.has(key)) continue;
    if (/^(not\.)?(and|or)$/.test(key)) throw notOnThisMachine(`The filter "${key}"`);
    query.filters.push(parseFilter(key, value));
  }
  return query;
}

/** The condition of a filter on `relation`, with its value bound as a parameter. */
export function filterSql(
  relation: string,
  filter: Query["filters"][number],
  bind: (value: unknown) => string,
): string {
  const column = `${relation}.${pg.escapeIdentifier(filter.column)}`;
  const not = filter.negated ? "not " : "";
  if (filter.operator === "is") return `${not}(${column} is ${filter.value.replace("_", " ")})`;
  if (filter.operator === "in") return `${not}(${column} = any (${bind(parseInList(filter.value))}))`;
  const value = filter.operator.endsWith("like") ? filter.value.replaceAll("*", "%") : filter.value;
  return `${not}(${column} ${OPERATORS[filter.operator]} ${bind(value)})`;
}

function parseFilter(column: string, text: string): Query["filters"][number] {
  const parts = /^(not\.)?([a-z]+)\.(.*)$/s.exec(text);
  const operator = parts?.[2];
  if (column.includes(".") || column.includes("->")) throw notOnThisMachine(`The filter on "${column}"`);
  if (!parts || !operator || !isOperator(operator)) throw badQuery(`"failed to parse filter (${text})"`);
  const value = parts[3] ?? "";
  if (operator === "is" && !IS_VALUES.has(value)) throw badQuery(`"failed to parse filter (${text})"`);
  return { column, negated: parts[1] !== undefined, operator, value };
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(OPERATORS, text);
}

/** `(a,"b,c")`: an element in double quotes may contain commas, and quotes after a backslash. */
function parseInList(text: string): string[] {
  if (!text.startsWith("(") || !text.endsWith(")")) throw badQuery(`"failed to parse filter (in.${text})"`);
  const elements = text.slice(1, -1).match(/"(?:[^"\\]|\\.)*"|[^,]+/gs) ?? [];
  return elements.map((element) =>
    element.startsWith('"') ? element.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : element,
  );
}

function parseSelectItem(text: string): Query["select"][number] {
  const parts = /^(?:([^:()]+):(?!:))?("[^"]+"|[\w*]+)(?:::([a-z_]\w*))?$/i.exec(text);
  if (!parts?.[2]) throw notOnThisMachine(`"select=${text}" (embedding, JSON paths, aggregates)`);
  return { column: unquote(parts[2]), alias: parts[1] ? unquote(parts[1]) : undefined, cast: parts[3] };
}

function parseOrderItem(text: string): Query["order"][number] {
  const parts = /^("[^"]+"|\w+)(?:\.(asc|desc))?(?:\.nulls(first|last))?$/.exec(text);
  if (!parts?.[1]) throw badQuery(`"failed to parse order (${text})"`);
  const nulls = parts[3] === "first" ? "first" : parts[3] === "last" ? "last" : undefined;
  return { column: unquote(parts[1]), direction: parts[2] === "desc" ? "desc" : "asc", nulls };
}

function parseCount(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null) return undefined;
  if (!/^\d+$/.test(text)) throw badQuery(`"failed to parse ${name} (${text})"`);
  return Number(text);
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1) : text;
}

function badQuery(message: string): ApiError {
  return new ApiError(400, { code: "PGRST100", message, details: "Check the query string of the request." });
}
