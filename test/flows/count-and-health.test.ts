import { afterAll, beforeAll, expect, test } from "vitest";
import { queues } from "../../registry/queues.ts";
import { breakFunction } from "./broken-function.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

interface Health {
  status: string;
  queues: { queue: string; [field: string]: unknown }[];
}

const health = async () => (await station.call("/health")).json<Health>();
const stateOf = async (queue: string) => (await health()).queues.find((each) => each.queue === queue);

test("Health shows every queue of the registry before anything happened", async () => {
  const answer = await station.call("/health");
  expect(answer.status).toBe(200);
  expect(answer.headers["cache-control"]).toBe("no-store");
  expect(answer.json()).toEqual({
    status: "ok",
    queues: Object.keys(queues).map((queue) => ({
      queue,
      queue_length: 0,
      in_flight: 0,
      delayed: 0,
      dead_letters: 0,
      last_success_at: null,
      error_streak: 0,
    })),
    providers_down: [],
  });
});

test("The number of subscribers counts who gets mail, by GET and by POST, and is five minutes old at most", async () => {
  for (const name of ["a", "b", "c", "gone"]) await station.subscribe(`${name}@example.com`);
  await station.quiet();
  await station.sql("insert into email_blocklist (email, reason) values ('c@example.com', 'hard_bounce')");
  const link = (await station.outbox("gone@example.com"))[0]?.headers["List-Unsubscribe"]?.slice(1, -1) ?? "";
  await station.call(link.slice(station.api.length), { method: "POST" });
  await station.quiet();

  for (const method of ["GET", "POST"]) {
    const answer = await station.call("/email/count", { method });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ count: 2 });
    expect(answer.headers["cache-control"]).toBe("public, max-age=300, stale-while-revalidate=300");
  }
  await station.subscribe("d@example.com");
  await station.quiet();
  expect((await station.call("/email/count")).json()).toEqual({ count: 2 });
  await station.advance(301_000);
  expect((await station.call("/email/count")).json()).toEqual({ count: 3 });
});

test("While the database does not answer, the last number of subscribers is told", async () => {
  const mend = await breakFunction(station, "get_newsletter_subscriber_count");
  await station.advance(301_000);
  const answer = await station.call("/email/count");
  expect([answer.status, answer.json()]).toEqual([200, { count: 3 }]);
  await mend();
});

test("Health tells when a queue last succeeded", async () => {
  const state = await stateOf("subscription");
  expect(Date.parse(String(state?.last_success_at))).toBeLessThanOrEqual(Date.parse((await station.report()).now));
  expect(state).toMatchObject({ queue_length: 0, in_flight: 0, error_streak: 0, dead_letters: 0 });
});

test("Health is degraded by a dead letter and well again without it", async () => {
  await station.enqueue("pulse", "no message of ours");
  await station.quiet();
  const degraded = await health();
  expect(degraded.status).toBe("degraded");
  expect(degraded.queues.find(({ queue }) => queue === "pulse")).toMatchObject({ dead_letters: 1, error_streak: 1 });

  await station.purge("pulse");
  await station.callInternal("/pulse", {
    body: { content_type: "mcp", content_slug: "x", interaction_type: "view" },
  });
  await station.quiet();
  expect(await stateOf("pulse")).toMatchObject({ dead_letters: 0, error_streak: 0 });
  expect((await health()).status).toBe("ok");
});

test("Answers carry the security headers, the correlation id and what is left of the limit", async () => {
  const answer = await station.call("/health", { headers: { "x-correlation-id": "watch/1" } });
  expect(answer.headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-correlation-id": "watch/1",
    "ratelimit-limit": "100",
    "ratelimit-remaining": "99",
  });
});

test("A correlation id that could break a log line is replaced", async () => {
  for (const id of ["a b", "<script>", "x".repeat(129)]) {
    const answer = await station.call("/health", { headers: { "x-correlation-id": id } });
    expect(answer.headers["x-correlation-id"]).toMatch(/^[\w-]{8,}$/);
    expect(answer.headers["x-correlation-id"]).not.toBe(id);
  }
});
