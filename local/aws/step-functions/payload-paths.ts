import { plainPath } from "./states-language.ts";

type Json = unknown;

/** Told of everything that cannot run; the walk goes on, so that one boot reports all of it. */
export type Report = (problem: string) => void;

/** These return no text of their own; the others strip backslashes out of the data they pass on. */
const INTRINSIC =
  /^States\.(UUID\(\)|(?:Array|ArrayLength|ArrayPartition|ArrayRange|ArrayContains|MathAdd)\(\s*[^()\\]+\))$/;
const STATIC_CONTEXT = /^\$\$\.(Execution\.(Id|Name|RoleArn)|StateMachine\.(Id|Name))$/;
const START_CONTEXT = /^\$\$\.Execution\.(Input(\.[A-Za-z_][\w-]*|\[\d+\])*|StartTime)$/;
const ITEM_CONTEXT = /^\$\$\.Map\.Item\.(Index|Value(\.[A-Za-z_][\w-]*|\[\d+\])*)$/;

interface TemplateScope {
  stateName: string;
  /** Only a Map's ItemSelector sees `$$.Map.Item`. */
  itemContext: boolean;
  /** Told that `$$.State.RetryCount` is used; where it is absent that path is refused. */
  onRetryCount?: () => void;
  report: Report;
}

/** Stands in a task's input for the number of retries, until the handler puts it there. */
const RETRY_COUNT_MARK = "\u0000$$.State.RetryCount";

/**
 * Checks a payload template and answers the one to run. `$$.State.Name` becomes text, as the interpreter has no
 * `$$.State`; `$$.Execution.Input` and `.StartTime` move to `$$.Started`, as it replaces them inside Map and Parallel.
 */
export function prepareTemplate(template: Json, scope: TemplateScope): Json {
  if (Array.isArray(template)) return template.map((item) => prepareTemplate(item, scope));
  if (typeof template !== "object" || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([key, value]) => {
      if (!key.endsWith(".$")) return [key, prepareTemplate(value, scope)];
      if (value === "$$.State.Name") return [key.slice(0, -2), scope.stateName];
      if (value === "$$.State.RetryCount" && scope.onRetryCount !== undefined) {
        scope.onRetryCount();
        return [key.slice(0, -2), RETRY_COUNT_MARK];
      }
      if (typeof value !== "string") {
        scope.report(`${key} is not a path`);
        return [key, value];
      }
      return [key, prepareTemplatePath(key, value, scope)];
    }),
  );
}

/** The task's input with the number of retries where its template asks for it. */
export function fillRetryCount(input: Json, retryCount: number): Json {
  if (input === RETRY_COUNT_MARK) return retryCount;
  if (Array.isArray(input)) return input.map((item) => fillRetryCount(item, retryCount));
  if (typeof input !== "object" || input === null) return input;
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, fillRetryCount(value, retryCount)]));
}

function prepareTemplatePath(key: string, value: string, scope: TemplateScope): string {
  if (value.startsWith("$$")) {
    if (scope.itemContext && ITEM_CONTEXT.test(value)) return value;
    return prepareContextPath(value, scope.report);
  }
  if (value.startsWith("$")) {
    if (!plainPath.safeParse(value).success) scope.report(`${key} "${value}" is not a plain path such as $.a.b[0]`);
    return value;
  }
  if (!INTRINSIC.test(value)) scope.report(`${key} "${value}" is not a function that runs here: do it in a task`);
  return value;
}

/** A path into the context object (`$$...`) as the interpreter can follow it, or a report that it cannot. */
export function prepareContextPath(path: string, report: Report): string {
  if (START_CONTEXT.test(path)) return path.replace("$$.Execution.", () => "$$.Started.");
  if (!STATIC_CONTEXT.test(path)) report(`"${path}" is not in the context object here`);
  return path;
}

/** What a plain path (`$.a.b[0]`) points to, or undefined. */
export function readPlainPath(path: string, value: unknown): unknown {
  let current = value;
  for (const [, name, index] of path.matchAll(/\.([A-Za-z_][\w-]*)|\[(\d+)\]/g)) {
    if (Array.isArray(current)) current = index === undefined ? undefined : current[Number(index)];
    else if (typeof current !== "object" || current === null || name === undefined) return undefined;
    else current = Object.entries(current).find(([key]) => key === name)?.[1];
  }
  return current;
}
