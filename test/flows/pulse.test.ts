import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const view = (event_id: string, more: Record<string, unknown> = {}) => ({
  event_id,
  interaction_type: "view",
  content_type: "guides",
  content_slug: "dates-and-time-zones",
  ...more,
});
const stored = async (prefix: string) =>
  (await station.sql("select event_id from user_interactions where event_id like $1 order by 1", [`${prefix}%`])).map(
    ({ event_id }) => event_id,
  );

test("of an array the broken events are named by their place, and the others are stored once", async () => {
  const answer = await station.callInternal("/pulse", {
    body: [view("a-1"), { event_id: "a-2" }, view("a-1"), "nonsense", view("a-3")],
  });
  expect(answer.status).toBe(207);
  expect(answer.json()).toMatchObject({ success: false, queued: 3, refused: [{ index: 1 }, { index: 3 }] });
  await station.quiet();
  expect(await stored("a-")).toEqual(["a-1", "a-3"]);
});

test("an array of broken events only is refused, and nothing is queued", async () => {
  const before = (await station.report()).queues.pulse?.received ?? 0;
  const answer = await station.callInternal("/pulse", { body: [{ event_id: "b-1" }, []] });
  expect(answer.status).toBe(400);
  await station.quiet();
  expect((await station.report()).queues.pulse?.received ?? 0).toBe(before);
});

test("an event that only the database refuses is dead-lettered, and the others of its batch are stored", async () => {
  const answer = await station.callInternal("/pulse", {
    body: [view("c-1"), view("c-2", { interaction_type: "teleport" }), view("c-3")],
  });
  expect(answer.status).toBe(202);
  await station.quiet();
  expect(await stored("c-")).toEqual(["c-1", "c-3"]);
  const [letter, ...others] = await station.deadLetters("pulse");
  expect(others).toEqual([]);
  expect(JSON.parse(letter?.body ?? "{}")).toMatchObject({ payload: { event_id: "c-2" } });
  expect(letter?.attributes.reason).toContain("teleport");
});

test("a mixed batch that the database gives up half-way is tried again whole: each good event is stored once, each bad one dead", async () => {
  await station.purge("pulse");
  await station.sql(`
    create function give_up() returns trigger language plpgsql as
      $$ begin raise exception 'cancelled by a test' using errcode = '57014'; end $$;
    create trigger gives_up before insert on user_interactions
      for each row when (new.content_slug = 'half-way') execute function give_up()`);
  const failing = async () => (await station.report()).queues.pulse?.failing ?? 0;
  await station.callInternal("/pulse", {
    body: [
      view("h-1"),
      view("h-2", { interaction_type: "teleport" }),
      view("h-1"),
      view("h-3"),
      view("h-4", { content_slug: "half-way" }),
    ],
  });
  await station.enqueue("pulse", { event_id: "h-5", why: "no envelope" });
  await vi.waitUntil(async () => (await failing()) === 5, { timeout: 30_000, interval: 50 });
  expect(await stored("h-")).toEqual([]);

  await station.sql("drop trigger gives_up on user_interactions; drop function give_up()");
  await station.advance(60_000);
  await station.quiet();
  expect(await stored("h-")).toEqual(["h-1", "h-3", "h-4"]);
  const reasons = (await station.deadLetters("pulse")).map(({ attributes }) => attributes.reason);
  expect(reasons).toHaveLength(2);
  expect(reasons).toEqual(
    expect.arrayContaining([expect.stringContaining("teleport"), expect.stringContaining("contract")]),
  );
});

test("the same request with the same Idempotency-Key stores its events once, though they have no ids", async () => {
  const request = {
    headers: { "idempotency-key": "pulse-d" },
    body: [view("", { event_id: null, content_slug: "d-slug" }), view("", { event_id: null, content_slug: "d-slug" })],
  };
  for (let time = 0; time < 2; time += 1) {
    expect((await station.callInternal("/pulse", request)).status).toBe(202);
    await station.quiet();
  }
  expect(await station.sql("select from user_interactions where content_slug = 'd-slug'")).toHaveLength(2);
});

test("a search is kept apart, with its words", async () => {
  await station.callInternal("/pulse", {
    body: { ...view("e-1"), interaction_type: "search", metadata: { query: " Time Zones ", result_count: 2 } },
  });
  await station.quiet();
  expect(await stored("e-")).toEqual([]);
  expect(await station.sql("select normalized_query, result_count from search_queries")).toEqual([
    { normalized_query: "time zones", result_count: 2 },
  ]);
});

test("without a body it tells the queue's state", async () => {
  const answer = await station.callInternal("/pulse");
  expect(answer.status).toBe(200);
  expect(answer.text).toContain("pulse");
});
