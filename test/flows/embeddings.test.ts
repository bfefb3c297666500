import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
afterEach(async () => {
  await station.faults({}, "embeddings");
});

const insert = async (slug: string) => {
  const [row] = await station.sql<{ id: string }>(
    `insert into content (category, slug, title, description, author, tags, date_added)
     values ('mcp', $1, 'Title', 'Description', 'Ada Example', '{one,two}', '2026-11-24') returning id`,
    [slug],
  );
  if (!row) throw new Error("no row was written");
  return row.id;
};
const sweep = async () => {
  await station.fire("outbox-sweep");
  await station.quiet();
};
const stored = (id: string) =>
  station.sql<{ content_text: string; content_hash: string; dimensions: number; model: string }>(
    "select content_text, content_hash, dimensions, model from content_embeddings where content_id = $1",
    [id],
  );
const requests = async () => (await station.vendorState("embeddings", "embeddings")).length;
const again = (id: string) =>
  station.sql(
    "insert into outbox (queue, payload) values ('embedding-generation', jsonb_build_object('content_id', $1::text))",
    [id],
  );

test("a new entry gets its vector, once however often it is asked for", async () => {
  const before = await requests();
  const id = await insert("embedded-once");
  await sweep();
  expect(await stored(id)).toMatchObject([
    { content_text: "Title Description one two Ada Example", dimensions: 1536, model: "text-embedding-3-small/1536" },
  ]);
  await again(id);
  await again(id);
  await sweep();
  expect(await requests()).toBe(before + 1);
});

test("a changed text gets a new vector in place of the old one; a change of counters does not", async () => {
  const id = await insert("embedded-anew");
  await sweep();
  const [first] = await stored(id);
  const before = await requests();
  await station.sql("update content set view_count = view_count + 1 where id = $1", [id]);
  await sweep();
  expect(await requests()).toBe(before);
  await station.sql("update content set description = 'Another' where id = $1", [id]);
  await sweep();
  const [second, ...others] = await stored(id);
  expect(others).toEqual([]);
  expect(second?.content_text).toContain("Another");
  expect(second?.content_hash).not.toBe(first?.content_hash);
});

test("an entry that was deleted meanwhile is let go", async () => {
  const id = await insert("embedded-never");
  await station.sql("delete from content where id = $1", [id]);
  const before = await requests();
  await sweep();
  expect(await requests()).toBe(before);
  expect(await station.deadLetters("embedding-generation")).toEqual([]);
});

test("a service that is down or too busy is asked again, and nothing is lost", async () => {
  await station.faults({ rate5xx: 1 }, "embeddings");
  const id = await insert("embedded-later");
  await station.fire("outbox-sweep");
  await vi.waitFor(
    async () => expect((await station.report()).queues["embedding-generation"]?.failing).toBeGreaterThan(0),
    { timeout: 30_000, interval: 200 },
  );
  await station.faults({ rate429: 1 }, "embeddings");
  await vi.waitFor(
    async () => expect((await station.report()).queues["embedding-generation"]?.deferred).toBeGreaterThan(0),
    { timeout: 40_000, interval: 200 },
  );
  await station.faults({}, "embeddings");
  await station.advance(120_000);
  expect(await stored(id)).toHaveLength(1);
});
