import * as z from "zod";
import type { Digest } from "../../emails/templates/weekly-digest.tsx";
import { expiryAfter, type StateTable } from "../../runtime/state-table.ts";

const entry = z.object({
  category: z.string(),
  slug: z.string(),
  title: z.string(),
  description: z.string(),
  url: z.string(),
});

/** What `get_weekly_digest` answers. */
export const weeklyDigest = z
  .object({
    week_of: z.string(),
    new_content: z.array(entry.extend({ date_added: z.string() })),
    trending_content: z.array(entry.extend({ view_count: z.number() })),
  })
  .transform(
    ({ week_of, new_content, trending_content }): Digest => ({
      weekOf: week_of,
      newContent: new_content.map(({ date_added, ...shown }) => ({ ...shown, dateAdded: date_added })),
      trendingContent: trending_content.map(({ view_count, ...shown }) => ({ ...shown, viewCount: view_count })),
    }),
  );

const stored = z.object({
  digest: z.object({
    weekOf: z.string(),
    newContent: z.array(entry.extend({ dateAdded: z.string() })),
    trendingContent: z.array(entry.extend({ viewCount: z.number() })),
  }),
});

/** Nothing new is nothing to write about, whatever older entries are trending. */
export const isEmpty = ({ newContent }: Digest): boolean => newContent.length === 0;

/**
 * The content of a week's digest, kept outside Postgres. `pinned` is what is being sent and never changes again, so
 * that every retry renders the same mail; `rehearsed` is the last that a rehearsal saw.
 */
export interface DigestContent {
  pinned(week: string): Promise<Digest | undefined>;
  rehearsed(week: string): Promise<Digest | undefined>;
  /** Pins the content unless some is pinned already; answers what is pinned. */
  pin(week: string, digest: Digest): Promise<Digest>;
  rehearse(week: string, digest: Digest): Promise<void>;
}

export function createDigestContent({ table, now }: { table: StateTable; now: () => number }): DigestContent {
  const keyOf = (week: string, kind: "pinned" | "rehearsed") => ({ pk: `digest#${week}`, sk: kind });
  const itemOf = (digest: Digest) => ({ digest, expiresAt: expiryAfter(now(), 90) });
  const read = async (week: string, kind: "pinned" | "rehearsed") => {
    const item = await table.get(keyOf(week, kind));
    return item ? stored.parse(item).digest : undefined;
  };
  return {
    pinned: (week) => read(week, "pinned"),
    rehearsed: (week) => read(week, "rehearsed"),
    async pin(week, digest) {
      const first = await table.create(keyOf(week, "pinned"), itemOf(digest));
      return first ? digest : ((await read(week, "pinned")) ?? digest);
    },
    async rehearse(week, digest) {
      await table.put(keyOf(week, "rehearsed"), itemOf(digest));
    },
  };
}
