export class UnknownStatePart extends Error {
  override name = "UnknownStatePart";
}

/**
 * What `GET /_state` answers. `only` names one part, given as it is without the others being built; `fields`, a
 * comma-separated list, keeps just those fields of each item of that part.
 */
export function selectState(
  parts: Record<string, () => unknown>,
  query: { only: string | undefined; fields: string | undefined },
): unknown {
  if (query.only === undefined) {
    return Object.fromEntries(Object.entries(parts).map(([name, build]) => [name, build()]));
  }
  const build = Object.hasOwn(parts, query.only) ? parts[query.only] : undefined;
  if (!build) {
    throw new UnknownStatePart(
      `there is no state named "${query.only}"; ask for one of ${Object.keys(parts).join(", ")}`,
    );
  }
  const part = build();
  const fields = query.fields?.split(",");
  return { [query.only]: fields && Array.isArray(part) ? part.map((item) => pick(item, fields)) : part };
}

function pick(item: unknown, fields: string[]): unknown {
  if (typeof item !== "object" || item === null) return item;
  return Object.fromEntries(Object.entries(item).filter(([key]) => fields.includes(key)));
}
