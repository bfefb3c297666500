import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

// Many functions may have to start at once, on a machine that does much else.
vi.setConfig({ testTimeout: 60_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const subscribe = (key: string, body: unknown) =>
  station.call("/email/subscribe", { body, headers: { "idempotency-key": key } });

/** Messages that the subscription worker ever got. */
const received = async () => {
  await station.quiet();
  return (await station.report()).queues.subscription?.received ?? 0;
};

/** Ended runs of a workflow, each of which tells the uptime monitor. */
const beats = async (workflow: string) =>
  (await station.calls("heartbeat")).filter(({ path }) => path.includes(workflow));

test("A request repeated with its key gets the first answer and queues nothing more", async () => {
  const before = await received();
  const first = await subscribe("retry-1", { email: "retry@example.com" });
  expect(first.status).toBe(202);
  for (let time = 0; time < 3; time += 1) {
    const again = await subscribe("retry-1", { email: "retry@example.com" });
    expect(again.status).toBe(202);
    expect(again.json()).toEqual(first.json());
  }
  expect(await received()).toBe(before + 1);
  expect((await station.calls()).filter(({ path }) => path === "/contacts")).toHaveLength(1);
});

test("Six at once with one key are one message; who comes too early is told to ask again", async () => {
  const before = await received();
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => subscribe("storm-1", { email: "storm@example.com" })),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  expect(accepted.length).toBeGreaterThanOrEqual(1);
  expect(new Set(accepted.map(({ text }) => text)).size).toBe(1);
  for (const answer of answers.filter(({ status }) => status !== 202)) {
    expect(answer.status).toBe(409);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(answer.json()).toMatchObject({ type: "urn:flux-station:problem:conflict" });
  }
  expect(await received()).toBe(before + 1);
});

test("A key that comes again with another body is answered 422 and queues nothing", async () => {
  await subscribe("mixed-up", { email: "one@example.com" });
  const before = await received();
  const answer = await subscribe("mixed-up", { email: "two@example.com" });
  expect(answer.status).toBe(422);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json()).toMatchObject({ type: "urn:flux-station:problem:idempotency-mismatch" });
  expect(await received()).toBe(before);
  expect(await station.contact("two@example.com")).toBeUndefined();
});

test("A request that was refused may be corrected under its key", async () => {
  expect((await subscribe("typo", { email: "typo@example" })).status).toBe(400);
  expect((await subscribe("typo", { email: "typo@example.com" })).status).toBe(202);
});

test("Keys belong to their route: another route of the same function does not find them", async () => {
  const headers = { "idempotency-key": "shared-key" };
  const digest = await station.callInternal("/email/digest", { headers });
  const sequence = await station.callInternal("/email/sequence", { headers });
  expect([digest.status, sequence.status]).toEqual([202, 202]);
  expect(sequence.json().id).not.toBe(digest.json().id);
  await station.quiet();
  expect(await beats("digest")).toHaveLength(1);
  expect(await beats("sequence")).toHaveLength(1);
});

test("Without a key every request is its own", async () => {
  const before = await received();
  const [first, second] = [await station.subscribe("plain@example.com"), await station.subscribe("plain@example.com")];
  expect(first?.json().id).not.toBe(second?.json().id);
  expect(await received()).toBe(before + 2);
});

test("A run started twice with one key is one run", async () => {
  const before = (await beats("sequence")).length;
  const start = () => station.callInternal("/email/sequence", { headers: { "idempotency-key": "run-1" } });
  const [first, second] = [await start(), await start()];
  expect(first.status).toBe(202);
  expect(second.text).toBe(first.text);
  await station.quiet();
  expect(await beats("sequence")).toHaveLength(before + 1);
});
