import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unsubscribeLink } from "../../lambdas/core/unsubscribe-link.ts";
import { queues } from "../../registry/queues.ts";
import { secrets } from "../../registry/secrets.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
let kept: Record<string, string>;

// Before the first request, since a function keeps for five minutes what it has read.
beforeAll(async () => {
  station = await startFlowStation();
  kept = await station.changeSecret({ resendApiKey: null, supabaseServiceRoleKey: null, discordJobsWebhook: null });
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

test("A job for a Discord channel whose address is missing is tried again, then dead-lettered with its reason", async () => {
  const add = (slug: string) =>
    station.sql(
      `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ($1, $1, 'Example Post', 'What there is to do', 'engineering', 'https://example.com/job', 'active', false)`,
      [slug],
    );
  const jobsOnDiscord = async () =>
    (await station.vendorState<{ embeds: { title: string }[] }>("discord", "messages")).map(
      ({ embeds }) => embeds[0]?.title,
    );
  await add("without-an-address");
  await station.fire("outbox-sweep");
  await expect
    .poll(async () => (await station.report()).queues["discord-jobs"], { timeout: 30_000 })
    .toMatchObject({ failing: 1, done: 0, suppressed: 0, deferred: 0 });
  expect(JSON.stringify(await logged("message.outcome"))).toContain("discordJobsWebhook");

  for (let hour = 0; hour < 12; hour += 1) await station.advance(3_600_000);
  const dead = await station.deadLetters("discord-jobs");
  expect(dead).toHaveLength(1);
  const { id = "" } = JSON.parse(dead[0]?.body ?? "{}") as { id?: string };
  const attempts = queues["discord-jobs"].maxReceiveCount;
  expect((await logged("message.outcome")).filter(({ envelopeId }) => envelopeId === id)).toHaveLength(attempts);
  // SQS moved it there, which keeps no reason; the station does.
  expect(await station.item("failure#discord-jobs", id)).toMatchObject({
    errorMessage: expect.stringContaining("discordJobsWebhook"),
    attempts,
  });
  expect(await jobsOnDiscord()).toEqual([]);

  await station.changeSecret({ discordJobsWebhook: kept.discordJobsWebhook ?? "" });
  await station.advance(6 * 60_000);
  await add("with-an-address");
  await station.fire("outbox-sweep");
  await station.quiet();
  expect(await jobsOnDiscord()).toEqual([expect.stringContaining("with-an-address")]);
});
