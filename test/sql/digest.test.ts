import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";

type Digest = {
  week_of: string;
  week_start: string;
  week_end: string;
  new_content: { slug: string; [key: string]: unknown }[];
  trending_content: { slug: string; [key: string]: unknown }[];
};

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());
beforeEach(() => db.query("truncate public.content cascade"));

const add = (slug: string, day: string, views = 0, title: string | null = null) =>
  db.query(
    `insert into public.content (category, slug, title, description, author, date_added, view_count)
     values ('guides', $1, $4, 'About ' || $1, 'Ada Example', $2, $3)`,
    [slug, day, views, title],
  );
const digest = (p_week_start: string) => db.call<Digest>("get_weekly_digest", { p_week_start });

describe("the weekly digest", () => {
  it("takes the seven days from its start and not the day before or after", async () => {
    await add("sunday-before", "2026-11-15");
    await add("monday", "2026-11-16");
    await add("sunday", "2026-11-22");
    await add("monday-after", "2026-11-23");
    const week = await digest("2026-11-16");
    expect(week).toMatchObject({ week_start: "2026-11-16", week_end: "2026-11-22", week_of: "November 16 - 22, 2026" });
    expect(week.new_content.map((item) => item.slug)).toEqual(["sunday", "monday"]);
  });

  it("shows the five newest, newest first and by slug within a day", async () => {
    for (const slug of ["f", "e", "d", "c", "b"]) await add(slug, "2026-11-17");
    await add("newest", "2026-11-20", 0, "The Newest");
    const { new_content } = await digest("2026-11-16");
    expect(new_content.map((item) => item.slug)).toEqual(["newest", "b", "c", "d", "e"]);
    expect(new_content[0]).toEqual({
      category: "guides",
      slug: "newest",
      title: "The Newest",
      description: "About newest",
      date_added: "2026-11-20",
      url: "/guides/newest",
    });
  });

  it("shows the three most viewed of what existed by the end of the week", async () => {
    await add("old-favourite", "2026-09-01", 900);
    await add("this-week", "2026-11-18", 500);
    await add("ignored", "2026-10-01", 1);
    await add("second", "2026-10-01", 600);
    await add("from-the-future", "2026-11-23", 5000);
    const { trending_content } = await digest("2026-11-16");
    expect(trending_content.map((item) => [item.slug, item.view_count])).toEqual([
      ["old-favourite", 900],
      ["second", 600],
      ["this-week", 500],
    ]);
  });

  it.each([
    ["2026-11-02", "November 2 - 8, 2026"],
    ["2026-11-30", "November 30 - December 6, 2026"],
    ["2026-12-28", "December 28, 2026 - January 3, 2027"],
  ])("names the week from %s %j", async (start, name) => {
    expect((await digest(start)).week_of).toBe(name);
  });

  it("is empty, not null, for a week without content", async () => {
    expect(await digest("2026-11-16")).toMatchObject({ new_content: [], trending_content: [] });
  });
});

it("keeps one row per week, the last report", async () => {
  const run = {
    week: "2026-W47",
    status: "delivering",
    mode: "batch",
    recipients: 10,
    recorded_at: "2026-11-16T09:00:00Z",
  };
  await db.call("record_digest_run", { p: run });
  await db.call("record_digest_run", {
    p: { ...run, status: "sent", sent: 9, suppressed: 1, recorded_at: "2026-11-16T09:05:00Z" },
  });
  expect(
    await db.query(
      "select week, status, mode, recipients, sent, suppressed, failed, recorded_at from public.digest_runs",
    ),
  ).toEqual([
    {
      week: "2026-W47",
      status: "sent",
      mode: "batch",
      recipients: 10,
      sent: 9,
      suppressed: 1,
      failed: 0,
      recorded_at: new Date("2026-11-16T09:05:00Z"),
    },
  ]);
  await expect(db.call("record_digest_run", { p: { ...run, week: "2026-47" } })).rejects.toMatchObject({
    code: "23514",
  });
});
