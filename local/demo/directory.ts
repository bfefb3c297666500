import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { mondayOf } from "../../lambdas/core/week.ts";

const entry = z.object({
  category: z.string(),
  slug: z.string(),
  title: z.string(),
  description: z.string(),
  author: z.string(),
  tags: z.array(z.string()),
  date_added: z.iso.date(),
});
type Entry = z.infer<typeof entry>;

/** A real directory's entries, where somebody has put them; the project does without. */
const realContent = join(import.meta.dirname, "../../../shared/data/content.ndjson");

export interface Directory {
  source: string;
  entries: number;
  /** Monday after the week with most new entries: when its digest is due. */
  digestDue: string;
}

/** Fills the database with real content if there is some, else leaves the seed, and finds the week worth a digest. */
export async function prepareDirectory(database: SupabaseClient): Promise<Directory> {
  const real = existsSync(realContent);
  if (real) await replaceContent(database, await readEntries());
  const { data, error } = await database.from("content").select("date_added");
  if (error) throw new Error(`The directory cannot be read: ${error.message}`);
  const dates = z
    .array(z.object({ date_added: z.string() }))
    .parse(data)
    .map(({ date_added }) => date_added.slice(0, 10));
  return {
    source: real ? "content.ndjson" : "seed",
    entries: dates.length,
    digestDue: digestDueAfter(busiestWeek(dates)),
  };
}

async function readEntries(): Promise<Entry[]> {
  const lines = (await readFile(realContent, "utf8")).trim().split("\n");
  return lines.map((line) => entry.parse(JSON.parse(line)));
}

/** Entries of a category that the schema does not know are left out; the demo says how many. */
async function replaceContent(database: SupabaseClient, entries: Entry[]): Promise<void> {
  const removed = await database.from("content").delete().neq("slug", "");
  if (removed.error) throw new Error(`The seed cannot be replaced: ${removed.error.message}`);
  for (const category of new Set(entries.map((each) => each.category))) {
    const rows = entries.filter((each) => each.category === category);
    const { error } = await database.from("content").upsert(rows, { onConflict: "category,slug" });
    if (error && error.code !== "22P02") throw new Error(`Entries of ${category} cannot be stored: ${error.message}`);
  }
}

function busiestWeek(dates: string[]): string {
  const perWeek = new Map<string, number>();
  for (const date of dates) perWeek.set(mondayOf(date), (perWeek.get(mondayOf(date)) ?? 0) + 1);
  const [busiest] = [...perWeek].sort(([, left], [, right]) => right - left);
  if (!busiest) throw new Error("The directory is empty: there is no week to send a digest about.");
  return busiest[0];
}

function digestDueAfter(monday: string): string {
  return new Date(Date.parse(`${monday}T09:00:00Z`) + 7 * 86_400_000).toISOString();
}
