import { createHash, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";
import { overlap } from "./overlap.ts";

const T0 = "2026-11-02T10:00:00.000Z";

type ForEmbedding = { content_id: string; text: string; content_hash: string; up_to_date: boolean };

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());
beforeEach(() => db.query("delete from public.content"));

const addContent = async (slug: string, more: { category?: string; author?: string; tags?: string[] } = {}) => {
  const [row] = await db.query<{ id: string }>(
    `insert into public.content (category, slug, title, description, author, tags, content, date_added)
     values ($1, $2, ' Title ', 'About it', $3, $4, repeat('x', 3000), '2026-11-01') returning id`,
    [more.category ?? "agents", slug, more.author ?? "Ada", more.tags ?? ["one", "two"]],
  );
  if (!row) throw new Error("nothing inserted");
  return row.id;
};
const ask = (p_content_id: string, p_model = "model-a") =>
  db.call<ForEmbedding | null>("get_content_for_embedding", { p_content_id, p_model });
const store = (of: ForEmbedding | null, vector: unknown[], p_model = "model-a") =>
  db.call("store_embedding", {
    p_content_id: of?.content_id ?? randomUUID(),
    p_content_hash: of?.content_hash ?? "",
    p_text: of?.text ?? "",
    p_embedding: JSON.stringify(vector),
    p_now: T0,
    p_model,
  });
const find = (vector: number[], args: Record<string, unknown> = {}) =>
  db.call<{ slug: string; similarity: number }[]>("query_content_embeddings", {
    query_embedding: JSON.stringify(vector),
    ...args,
  });

describe("embedding an entry", () => {
  it("takes title, description, tags, author and the first thousand characters", async () => {
    const id = await addContent("text");
    const text = `Title About it one two Ada ${"x".repeat(1000)}`;
    expect(await ask(id)).toEqual({
      content_id: id,
      text,
      content_hash: createHash("sha256").update(text).digest("hex"),
      up_to_date: false,
    });
    expect(await ask(randomUUID())).toBeNull();
  });

  it("is done once per text and model", async () => {
    const id = await addContent("once");
    const first = await ask(id);
    expect(await store(first, [1, 0])).toEqual({ stored: true, outcome: "stored" });
    expect(await ask(id)).toMatchObject({ up_to_date: true });
    expect(await store(first, [1, 0])).toEqual({ stored: false, outcome: "unchanged" });
    expect(await ask(id, "model-b")).toMatchObject({ up_to_date: false });
    expect(await store(first, [0, 1, 0], "model-b")).toEqual({ stored: true, outcome: "stored" });
    expect(await db.query("select model, dimensions from public.content_embeddings")).toEqual([
      { model: "model-b", dimensions: 3 },
    ]);
  });

  it("never lets an older text's vector replace the newer one's (D-44)", async () => {
    const id = await addContent("stale");
    const older = await ask(id);
    await db.query("update public.content set title = 'Newer' where id = $1", [id]);
    const newer = await ask(id);
    expect(newer?.content_hash).not.toBe(older?.content_hash);
    expect(await store(newer, [0, 1])).toEqual({ stored: true, outcome: "stored" });
    expect(await store(older, [1, 0])).toEqual({ stored: false, outcome: "outdated" });
    expect(await ask(id)).toMatchObject({ up_to_date: true });
  });

  it("judges by the text as it will be when that is being changed at the moment", async () => {
    const id = await addContent("changing");
    const older = await ask(id);
    const change = { text: "update public.content set title = 'Newer' where id = $1", values: [id] };
    expect(await overlap(db, change, () => store(older, [1, 0]))).toEqual({ stored: false, outcome: "outdated" });
  });

  it("by many workers at once leaves one vector (D-45)", async () => {
    const of = await ask(await addContent("race"));
    const answers = await Promise.all(Array.from({ length: 10 }, () => store(of, [1, 0])));
    expect(answers.filter((answer) => answer && Object(answer).stored)).toHaveLength(1);
    expect(await db.query("select id from public.content_embeddings")).toHaveLength(1);
  });

  it("of an entry that is gone stores nothing, and its vector goes with the entry", async () => {
    const id = await addContent("deleted");
    const of = await ask(id);
    await store(of, [1, 0]);
    await db.query("delete from public.content where id = $1", [id]);
    expect(await store(of, [1, 0])).toEqual({ stored: false, outcome: "content_gone" });
    expect(await db.query("select id from public.content_embeddings")).toEqual([]);
  });

  it("refuses what is no vector", async () => {
    const of = await ask(await addContent("refused"));
    for (const vector of [[], ["1"], [null], [[1]]]) {
      await expect(store(of, vector), JSON.stringify(vector)).rejects.toMatchObject({ code: "22023" });
    }
  });
});

describe("searching", () => {
  it("gives the most alike first, above the threshold, filtered and paged", async () => {
    const entries = [
      { slug: "same", vector: [1, 0], author: "Ada" },
      { slug: "near", vector: [0.9, 0.1], author: "Bob", tags: ["three"] },
      { slug: "far", vector: [0, 1], author: "Ada" },
      { slug: "other-model", vector: [1, 0, 0], author: "Ada" },
    ];
    for (const { slug, vector, ...more } of entries) await store(await ask(await addContent(slug, more)), vector);
    const found = await find([2, 0]);
    expect(found).toMatchObject([{ slug: "same", title: " Title ", category: "agents" }, { slug: "near" }]);
    expect(found[0]?.similarity).toBeCloseTo(1, 10);
    expect(found[1]?.similarity).toBeCloseTo(0.9939, 3);
    const slugs = async (args: Record<string, unknown>) => (await find([2, 0], args)).map((row) => row.slug);
    expect(await slugs({ match_threshold: -1 })).toEqual(["same", "near", "far"]);
    expect(await slugs({ match_limit: 1, p_offset: 1 })).toEqual(["near"]);
    expect(await slugs({ p_authors: ["Bob"] })).toEqual(["near"]);
    expect(await slugs({ p_tags: ["one"] })).toEqual(["same"]);
    expect(await slugs({ p_categories: ["rules"] })).toEqual([]);
  });
});
