import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sendMessage } from "./message.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

let before = 0;
beforeEach(async () => {
  before = (await revalidated()).length;
});

const revalidated = () => station.vendorState<{ paths: string[]; tags: string[] }>("site", "revalidations");
const asked = async () => (await revalidated()).slice(before).map(({ paths, tags }) => ({ paths, tags }));
const changed = (slug: string) =>
  sendMessage(
    station,
    "revalidation",
    { table: "content", change: "UPDATE", current: { category: "mcp", slug, tags: ["python"] } },
    { correlationId: `change-of-${slug}` },
  );
const pages = (slug: string) => ({
  paths: ["/", "/mcp", `/mcp/${slug}`],
  tags: ["content", "homepage", "trending"],
});

test("the site is told which page and which tags are stale, with the correlation id and no readable secret", async () => {
  await changed("reader");
  await station.quiet();
  expect(await asked()).toEqual([pages("reader")]);
  const call = (await station.calls("site")).at(-1);
  expect(call).toMatchObject({ status: 200, correlationId: "change-of-reader" });
  expect(call?.headers["x-revalidate-secret"]).toBe("[redacted]");
  expect(call?.body).toEqual({ category: "mcp", slug: "reader", tags: ["content", "homepage", "trending"] });
});

test("what the site did not confirm is tried again until it does", async () => {
  await station.faults({ rate5xx: 1 }, "site");
  await changed("stubborn");
  await expect
    .poll(async () => (await station.report()).queues.revalidation?.failing, { timeout: 20_000 })
    .toBeGreaterThan(0);
  expect(await asked()).toEqual([]);
  await station.faults({}, "site");
  await station.advance(60_000);
  expect(await asked()).toEqual([pages("stubborn")]);
});

test("an answer that was lost is asked for again, which does no harm", async () => {
  await station.faults({ acceptThenTimeout: 1 }, "site");
  await changed("silent");
  await expect.poll(asked, { timeout: 20_000 }).toHaveLength(1);
  await station.faults({}, "site");
  await station.advance(60_000);
  expect(await asked()).toEqual([pages("silent"), pages("silent")]);
  expect(await station.deadLetters("revalidation")).toEqual([]);
});

test("a site that asks to wait is waited for without an attempt counted", async () => {
  const failing = (await station.report()).queues.revalidation?.failing ?? 0;
  await station.faults({ rate429: 1 }, "site");
  await changed("busy");
  await expect
    .poll(async () => (await station.calls("site")).filter(({ status }) => status === 429).length, { timeout: 20_000 })
    .toBeGreaterThan(0);
  await station.faults({}, "site");
  await station.advance(60_000);
  expect(await asked()).toEqual([pages("busy")]);
  expect((await station.report()).queues.revalidation?.failing ?? 0).toBe(failing);
});

test("a secret that the site does not accept is nobody's dead letter: it can be mended in time", async () => {
  const { revalidateSecret = "" } = await station.changeSecret({ revalidateSecret: "another" });
  // Functions trust a secret they have read for five minutes.
  await station.advance(301_000);
  await changed("locked");
  await expect
    .poll(async () => (await station.calls("site")).some(({ status }) => status === 401), { timeout: 20_000 })
    .toBe(true);
  expect(await station.deadLetters("revalidation")).toEqual([]);
  await station.changeSecret({ revalidateSecret });
  await station.advance(900_000);
  expect(await asked()).toEqual([pages("locked")]);
});
