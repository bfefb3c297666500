import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sendMessage } from "./message.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

interface Revalidated {
  paths: string[];
  tags: string[];
}
const revalidated = () => station.vendorState<Revalidated>("site", "revalidations");
const waiting = async () =>
  (await station.sql<{ queue: string }>("select queue from outbox where done_at is null order by id")).map(
    ({ queue }) => queue,
  );
const addContent = (slug: string) =>
  station.sql(
    `insert into content (category, slug, title, description, author, tags, date_added)
     values ('agents', $1, 'Title', 'About it', 'Ada Example', '{python}', '2025-11-01')`,
    [slug],
  );
const addRows = (queue: string, count: number) =>
  station.sql(
    `insert into outbox (queue, payload)
     select $1, jsonb_build_object('table', 'votes', 'change', 'INSERT') from generate_series(1, $2::int)`,
    [queue, count],
  );

test("what a row's change asks for is done within the minute, without anyone calling the station", async () => {
  await addContent("first-agent");
  expect(await waiting()).toContain("revalidation");
  await station.advance(61_000);
  expect(await waiting()).toEqual([]);
  expect(await revalidated()).toMatchObject([
    { paths: ["/", "/agents", "/agents/first-agent"], tags: ["content", "homepage", "trending"] },
  ]);
});

test("a renamed entry is made stale at its new address and at its old one", async () => {
  const before = (await revalidated()).length;
  await station.sql("update content set slug = 'second-agent' where slug = 'first-agent'");
  await station.advance(61_000);
  const paths = (await revalidated()).slice(before).flatMap((one) => one.paths);
  expect(paths).toContain("/agents/second-agent");
  expect(paths).toContain("/agents/first-agent");
});

test("a change that was rolled back asks for nothing", async () => {
  const before = (await revalidated()).length;
  await station.sql(
    "do $$ begin insert into content (category, slug, description, author, date_added) values ('agents', 'undone', 'x', 'y', now()); raise exception 'no'; exception when others then null; end $$",
  );
  await station.advance(61_000);
  expect((await revalidated()).length).toBe(before);
});

test("sweeps that overlap hand every row over once, however many there are", async () => {
  const before = (await revalidated()).length;
  await addRows("revalidation", 230);
  await Promise.all([1, 2, 3].map(() => sendMessage(station, "outbox-sweep", {})));
  await station.quiet();
  expect(await waiting()).toEqual([]);
  expect((await revalidated()).length - before).toBe(230);
});

test("a row that fits no queue, or breaks its contract, waits and is signalled, and holds up no other", async () => {
  const before = (await revalidated()).length;
  await addRows("no-such-queue", 1);
  await station.sql(
    `insert into outbox (queue, payload) values ('revalidation', '{"table": "votes", "change": "MERGE"}')`,
  );
  await addRows("revalidation", 1);
  await sendMessage(station, "outbox-sweep", {});
  await station.quiet();
  expect(await waiting()).toEqual(["no-such-queue", "revalidation"]);
  expect((await station.report()).troubles["signal.outbox-unsendable"]).toBeGreaterThanOrEqual(2);
  expect((await revalidated()).length).toBe(before + 1);
  await station.sql("delete from outbox where done_at is null");
});

test("a row that was sent by a sweep which died before saying so is the same message again", async () => {
  await addRows("revalidation", 1);
  const [row] = await station.sql<{ id: string }>("select max(id) as id from outbox");
  await sendMessage(station, "outbox-sweep", {});
  await station.quiet();
  const firstIds = await envelopeIds("revalidation");
  await station.sql("update outbox set done_at = null, lease_expires_at = null where id = $1", [row?.id]);
  await sendMessage(station, "outbox-sweep", {});
  await station.quiet();
  const ids = await envelopeIds("revalidation");
  expect(ids).toHaveLength(firstIds.length + 1);
  expect(ids.at(-1)).toBe(firstIds.at(-1));
});

test("rows that were sent a month ago are thrown away at the full hour", async () => {
  await station.sql("insert into outbox (queue, payload, done_at) values ('revalidation', '{\"old\": true}', $1)", [
    "2020-01-01T00:00:00Z",
  ]);
  const old = () => station.sql("select 1 from outbox where payload ? 'old'");
  await sendMessage(station, "outbox-sweep", {}, { occurredAt: "2025-11-24T09:01:00.000Z" });
  await station.quiet();
  expect(await old()).toHaveLength(1);
  await sendMessage(station, "outbox-sweep", {}, { occurredAt: "2025-11-24T09:00:00.000Z" });
  await station.quiet();
  expect(await old()).toEqual([]);
});

/** Ids of the messages of a queue that were carried out, in order, as the function's log has them. */
async function envelopeIds(queue: string): Promise<string[]> {
  const lines = readFileSync(join(station.home, "station.log"), "utf8").trimEnd().split("\n");
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line.message === "message.outcome" && line.queue === queue)
    .map((line) => String(line.envelopeId));
}
