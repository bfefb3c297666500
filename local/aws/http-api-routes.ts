/** A route that fits a request, with its path parameters decoded; `{}` when it has none. */
export interface RouteMatch<R> {
  route: R;
  pathParameters: Record<string, string>;
}

interface Pattern<R> {
  route: R;
  method: string;
  segments: string[];
}

const PARAMETER = /^\{([^}+]+)\}$/;
const GREEDY = /^\{([^}]+)\+\}$/;

/**
 * Chooses a route as an HTTP API does: the most specific path first (literal before `{name}` before `{name+}`), then a
 * named method before ANY, then `$default`. Throws when two routes have the same key.
 */
export function createRouteTable<R extends { routeKey: string }>(
  routes: readonly R[],
): (method: string, path: string) => RouteMatch<R> | undefined {
  const keys = routes.map(({ routeKey }) => routeKey);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new Error(`The route ${twice} is defined twice. Remove one.`);

  const fallback = routes.find(({ routeKey }) => routeKey === "$default");
  const patterns = routes
    .filter((route) => route !== fallback)
    .map((route): Pattern<R> => {
      const [method = "", path = ""] = route.routeKey.split(" ");
      return { route, method, segments: path.split("/").slice(1) };
    })
    .sort(bySpecificity);

  return (method, path) => {
    const segments = path.split("/").slice(1);
    for (const pattern of patterns) {
      if (pattern.method !== "ANY" && pattern.method !== method) continue;
      const pathParameters = parametersOf(pattern.segments, segments);
      if (pathParameters !== undefined) return { route: pattern.route, pathParameters };
    }
    return fallback === undefined ? undefined : { route: fallback, pathParameters: {} };
  };
}

function parametersOf(pattern: string[], segments: string[]): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const greedy = GREEDY.exec(part)?.[1];
    if (greedy !== undefined) {
      const rest = segments.slice(index).join("/");
      return rest === "" ? undefined : { ...parameters, [greedy]: decode(rest) };
    }
    const segment = segments[index];
    if (segment === undefined) return undefined;
    const parameter = PARAMETER.exec(part)?.[1];
    if (parameter === undefined) {
      if (part !== segment) return undefined;
    } else {
      if (segment === "") return undefined;
      parameters[parameter] = decode(segment);
    }
  }
  return segments.length === pattern.length ? parameters : undefined;
}

function bySpecificity<R>(left: Pattern<R>, right: Pattern<R>): number {
  for (let index = 0; index < Math.max(left.segments.length, right.segments.length); index += 1) {
    const difference = rank(left.segments[index]) - rank(right.segments[index]);
    if (difference !== 0) return difference;
  }
  return Number(left.method === "ANY") - Number(right.method === "ANY");
}

function rank(segment: string | undefined): number {
  if (segment === undefined) return 3;
  if (GREEDY.test(segment)) return 2;
  return PARAMETER.test(segment) ? 1 : 0;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
