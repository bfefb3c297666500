import type { Payload } from "./messages.ts";

type RowChange = Payload<"revalidation">;

/** One call of the site's revalidate endpoint: the pages of a category and slug, and tags. */
export interface Revalidation {
  category?: string;
  slug?: string;
  tags: string[];
}

const everywhere = ["content", "homepage", "trending"];
const always = (...tags: string[]) => ({ INSERT: tags, UPDATE: tags, DELETE: tags });

/** The tags under which the site caches what it shows of a table; the row's own tags are none of them. */
const tagsOfTables = new Map<string, Record<RowChange["change"], string[]>>(
  Object.entries({
    content: always(...everywhere),
    reviews: { INSERT: everywhere, UPDATE: ["content"], DELETE: ["content"] },
    votes: always("content", "trending"),
    configs: always("configs", "homepage"),
    tools: always("tools", "homepage"),
    companies: always("companies"),
    jobs: always("jobs", "companies"),
    collections: always("collections", "users"),
    bookmarks: always("user-bookmarks", "users"),
    users: always("users"),
    content_submissions: always("submissions"),
    contact_submissions: always("contact", "submissions"),
    notifications: always("notifications"),
    changelog: always("changelog"),
    newsletter_subscriptions: always("newsletter"),
  }),
);

/**
 * The calls that make everything stale that showed the row: its page as it is and, after a rename, as it was. Empty for
 * a table that the site shows nothing of.
 */
export function revalidationsOf({ table, change, current, former }: RowChange): Revalidation[] {
  const tags = tagsOfTables.get(table)?.[change] ?? [];
  const pages = new Map<string, { category: string; slug: string }>();
  for (const page of [current, former])
    if (page) pages.set(`${page.category}/${page.slug}`, { category: page.category, slug: page.slug });
  const [first, ...others] = pages.values();
  if (!first) return tags.length > 0 ? [{ tags }] : [];
  // Each call makes its tags stale: once is enough.
  return [{ ...first, tags }, ...others.map((page) => ({ ...page, tags: [] }))];
}
