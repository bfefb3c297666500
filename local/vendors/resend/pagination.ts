import type { Context } from "hono";
import { z } from "zod";
import { parseValue, ResendRefusal } from "./errors.ts";

const querySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).optional(),
  after: z.string().optional(),
  before: z.string().optional(),
});

type Identified = { id: string };

/**
 * One page of `items` (newest first) as `{object: "list", has_more, data}`. `limitWithoutQuery` is what a caller gets
 * who names no limit: 20, but everything on the endpoints that are older than pagination
 * (https://resend.com/docs/api-reference/pagination).
 */
export function paginate<Item extends Identified>(
  c: Context,
  items: Item[],
  present: (item: Item) => object,
  limitWithoutQuery = 20,
): Response {
  const { limit = limitWithoutQuery, after, before } = parseValue(c.req.query(), querySchema);
  if (after !== undefined && before !== undefined) {
    throw new ResendRefusal("validation_error", "Use either `after` or `before`, not both.");
  }
  const page = before === undefined ? pageAfter(items, after, limit) : pageBefore(items, before, limit);
  return c.json({ object: "list", has_more: page.hasMore, data: page.items.map(present) });
}

function pageAfter<Item extends Identified>(items: Item[], after: string | undefined, limit: number) {
  const start = after === undefined ? 0 : indexOfCursor(items, "after", after) + 1;
  return { items: items.slice(start, start + limit), hasMore: items.length > start + limit };
}

function pageBefore<Item extends Identified>(items: Item[], before: string, limit: number) {
  const end = indexOfCursor(items, "before", before);
  return { items: items.slice(Math.max(0, end - limit), end), hasMore: end > limit };
}

function indexOfCursor(items: Identified[], name: string, cursor: string): number {
  const index = items.findIndex((item) => item.id === cursor);
  if (index < 0) throw new ResendRefusal("validation_error", `Invalid \`${name}\` field. There is no such item.`);
  return index;
}
