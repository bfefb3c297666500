import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";

const T0 = "2026-11-02T10:00:00.000Z";
const SITE = "https://directory.example.com/";

type Embed = {
  title: string;
  description: string;
  url?: string;
  color: number;
  fields: { name: string; value: string; inline: boolean }[];
  footer: { text: string };
  timestamp: string;
};

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

async function insertRow(table: string, columns: Record<string, unknown>): Promise<string> {
  const names = Object.keys(columns);
  const [row] = await db.query<{ id: string }>(
    `insert into public.${table} (${names.join(", ")}) values (${names.map((_, index) => `$${index + 1}`).join(", ")}) returning id`,
    Object.values(columns),
  );
  if (!row) throw new Error("nothing inserted");
  return row.id;
}

describe("a job's embed", () => {
  const job = {
    title: "Engineer",
    company: "Example",
    description: "Work",
    category: "engineering",
    link: "https://example.com/job",
    status: "active",
  };

  it("names what is known and leaves out what is not", async () => {
    const id = await insertRow("jobs", { ...job, slug: "embed", salary: " ", remote: true, posted_at: T0 });
    expect(await db.call<Embed>("build_job_discord_embed", { p_job_id: id, p_site_url: SITE })).toEqual({
      title: "Engineer at Example",
      description: "Work",
      url: "https://directory.example.com/jobs/embed",
      color: 5763719,
      fields: [
        ["Company", "Example"],
        ["Status", "Active"],
        ["Category", "Engineering"],
        ["Type", "Full-Time"],
        ["Workplace", "Remote"],
        ["Tier", "Standard"],
      ].map(([name, value]) => ({ name, value, inline: true })),
      footer: { text: `Job ${id.slice(0, 8)}` },
      timestamp: "2026-11-02T10:00:00+00:00",
    });
    expect(await db.call("build_job_discord_embed", { p_job_id: randomUUID() })).toBeNull();
  });

  it("keeps Discord's limits whatever the row holds", async () => {
    const id = await insertRow("jobs", {
      ...job,
      slug: "long",
      title: "t".repeat(300),
      description: "d".repeat(9000),
      location: "l".repeat(5000),
      salary: "s".repeat(5000),
    });
    const embed = await db.call<Embed>("build_job_discord_embed", { p_job_id: id });
    expect(embed.title.length).toBeLessThanOrEqual(256);
    expect(embed.title.endsWith("…")).toBe(true);
    for (const field of embed.fields) expect(field.value.length).toBeLessThanOrEqual(1024);
    expect(JSON.stringify(embed).length).toBeLessThan(6000);
    expect(embed).not.toHaveProperty("url");
  });

  it("comes with whether to announce and the message to edit, as the row is now", async () => {
    const id = await insertRow("jobs", { ...job, slug: "present", status: "draft" });
    const ask = () => db.call("get_job_for_announcement", { p_job_id: id, p_site_url: SITE });
    expect(await ask()).toMatchObject({ announce: false, reason: "draft", discord_message_id: null });
    await db.query("update public.jobs set status = 'active', title = 'Newer' where id = $1", [id]);
    await db.call("record_job_announcement", { p_job_id: id, p_message_id: "42", p_now: T0 });
    expect(await ask()).toMatchObject({
      announce: true,
      reason: null,
      status: "active",
      discord_message_id: "42",
      embed: { title: "Newer at Example" },
    });
    await db.query("update public.jobs set is_placeholder = true where id = $1", [id]);
    expect(await ask()).toMatchObject({ announce: false, reason: "placeholder" });
    expect(await db.call("get_job_for_announcement", { p_job_id: randomUUID() })).toBeNull();
    expect(await db.call("record_job_announcement", { p_job_id: randomUUID(), p_message_id: "1", p_now: T0 })).toBe(
      false,
    );
  });
});

describe("a submission", () => {
  const submission = {
    name: "New Agent",
    description: "About it",
    category: "agents",
    submission_type: "agents",
    author: "Ada Example",
    submitter_email: "private@example.com",
    submitter_ip: "192.0.2.1",
  };
  const ask = (p_submission_id: string) =>
    db.call<Record<string, unknown> | null>("get_submission_for_announcement", { p_submission_id });

  it("is announced without its submitter's address (D-9), and not at all as spam", async () => {
    const id = await insertRow("content_submissions", submission);
    const shown = await ask(id);
    expect(shown).toMatchObject({ announce: true, reason: null, name: "New Agent", status: "pending", tags: [] });
    expect(JSON.stringify(shown)).not.toMatch(/private|192\.0\.2\.1/);
    const spam = await insertRow("content_submissions", { ...submission, spam_score: 0.71 });
    expect(await ask(spam)).toMatchObject({ announce: false, reason: "spam" });
    const borderline = await insertRow("content_submissions", { ...submission, spam_score: 0.7 });
    expect(await ask(borderline)).toMatchObject({ announce: true });
    expect(await ask(randomUUID())).toBeNull();
  });

  it("that is merged names its content as soon as that exists (D-24)", async () => {
    const id = await insertRow("content_submissions", { ...submission, status: "merged", approved_slug: "new-agent" });
    expect(await ask(id)).toMatchObject({ status: "merged", content_id: null });
    const content = await insertRow("content", {
      category: "agents",
      slug: "new-agent",
      title: "New Agent",
      display_title: "The New Agent",
      description: "About it",
      author: "Ada Example",
      tags: ["new"],
      date_added: "2026-11-02",
    });
    expect(await ask(id)).toMatchObject({ content_id: content });
    expect(await db.call("get_content_for_announcement", { p_content_id: content })).toEqual({
      content_id: content,
      category: "agents",
      slug: "new-agent",
      title: "The New Agent",
      description: "About it",
      author: "Ada Example",
      author_profile_url: null,
      tags: ["new"],
      date_added: "2026-11-02",
    });
  });
});

describe("a contact submission", () => {
  const insert = (args: Record<string, unknown> = {}) =>
    db.call<{ submission_id: string; created: boolean }>("insert_contact_submission", {
      p_name: " Ada ",
      p_email: "Ada@Example.com",
      p_category: "bug",
      p_message: "It broke",
      p_now: T0,
      ...args,
    });

  it("is stored once under the id it came with", async () => {
    const p_submission_id = randomUUID();
    const answers = await Promise.all(Array.from({ length: 5 }, () => insert({ p_submission_id })));
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    await insert({ p_submission_id, p_message: "Something else" });
    expect(await db.call("get_contact_submission", { p_submission_id })).toEqual({
      submission_id: p_submission_id,
      name: "Ada",
      email: "ada@example.com",
      category: "bug",
      message: "It broke",
      status: "pending",
      created_at: "2026-11-02T10:00:00+00:00",
      response_sent_at: null,
    });
    expect(await db.call("mark_contact_answered", { p_submission_id, p_now: T0 })).toBe(true);
    expect(await db.call("get_contact_submission", { p_submission_id })).toMatchObject({
      response_sent_at: "2026-11-02T10:00:00+00:00",
    });
  });

  it("is refused with a code of bad input when a field is wrong", async () => {
    await expect(insert({ p_category: "gossip" })).rejects.toMatchObject({ code: "22P02" });
    await expect(insert({ p_email: "nobody@localhost" })).rejects.toMatchObject({ code: "23514" });
    await expect(insert({ p_message: "  " })).rejects.toMatchObject({ code: "23514" });
  });
});
