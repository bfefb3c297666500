import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unsubscribeLink } from "../../lambdas/core/unsubscribe-link.ts";
import { secrets } from "../../registry/secrets.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
let kept: Record<string, string>;

// Before the first request, since a function keeps for five minutes what it has read.
beforeAll(async () => {
  station = await startFlowStation();
  kept = await station.changeSecret({ resendApiKey: null, supabaseServiceRoleKey: null });
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const email = "patient@example.com";

/** Log lines of the functions with this code. */
const logged = async (code: string) =>
  (await readFile(join(station.home, "station.log"), "utf8"))
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Record<string, unknown> => JSON.parse(line))
    .filter(({ message }) => message === code);

test("Without the vendors' keys, routes that need none work", async () => {
  expect((await station.call("/health")).status).toBe(200);
  expect((await station.call("/nowhere")).status).toBe(404);
  const link = unsubscribeLink("", "11111111-1111-4111-8111-111111111111", kept.unsubscribeKey ?? "");
  expect((await station.call(link)).status).toBe(200);
  expect((await station.callInternal("/pulse")).status).toBe(200);
});

test("A route that needs a missing key says which one and where to put it", async () => {
  const answer = await station.call("/email/count");
  expect(answer.status).toBe(503);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  const { type, detail } = answer.json<{ type: string; detail: string }>();
  expect(type).toBe("urn:flux-station:problem:missing-configuration");
  expect(detail).toContain("supabaseServiceRoleKey");
  expect(detail).toContain("prod-flux-station");
  expect(detail).toContain(secrets.supabaseServiceRoleKey.source);
});

test("A subscription is still accepted, and its worker names all that is missing at once", async () => {
  expect((await station.subscribe(email)).status).toBe(202);
  await expect
    .poll(async () => JSON.stringify(await logged("worker.unavailable")), { timeout: 15_000 })
    .toMatch(/resendApiKey.*supabaseServiceRoleKey/);
  expect((await station.report()).pending).toHaveProperty("messages on prod-flux-subscription", 1);
  expect(await station.calls()).toEqual([]);
});

test("What waited is carried out once the keys are there, without a restart", async () => {
  const { resendApiKey = "", supabaseServiceRoleKey = "" } = kept;
  await station.changeSecret({ resendApiKey, supabaseServiceRoleKey });
  await station.advance(15 * 60_000);
  expect(await station.outbox(email)).toHaveLength(1);
  expect((await station.call("/email/count")).json()).toEqual({ count: 1 });
  expect((await station.report()).deadLetters).toEqual({});
});
