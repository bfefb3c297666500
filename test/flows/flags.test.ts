import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { breakFunction } from "./broken-function.ts";
import { send } from "./http.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { run } from "./workflow-runs.ts";

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

/** Longer than a function trusts what it read of a flag, and of a secret. */
const untilFlagsAreReadMs = 61_000;
const untilSecretsAreReadMs = 301_000;

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

async function flip(flags: Record<string, boolean>): Promise<void> {
  await writeFile(join(station.home, "flags.json"), JSON.stringify(flags));
  await station.advance(untilFlagsAreReadMs);
}
const now = async () => Date.parse((await station.report()).now);
const at = async () => ({ scheduled_time: new Date(await now()).toISOString() });
const mailCalls = async (after: number) =>
  (await station.calls("resend", after)).map(({ path }) => path).filter((path) => path.startsWith("/emails"));
const lastCall = async () => (await station.calls()).at(-1)?.seq ?? 0;

/** People who are due for the second mail of the sequence. */
async function enrol(prefix: string, amount: number): Promise<string[]> {
  const emails = Array.from({ length: amount }, (_, index) => `${prefix}${index}@example.com`);
  await station.sql("select subscribe_newsletter(p_email => email, p_now => $2) from unnest($1::text[]) email", [
    emails,
    new Date((await now()) - 3 * 86_400_000).toISOString(),
  ]);
  return emails;
}
const mailsTo = async (emails: string[]) => (await station.outbox()).filter(({ to }) => emails.includes(to[0] ?? ""));

/** Calls of a database function so far. */
async function rpcCalls(name: string): Promise<number> {
  // There is no log before its first line.
  const text = await readFile(join(station.home, "station.log"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line.includes("rpc.called") && line.includes(`"${name}"`)).length;
}
async function pulse(prefix: string, amount: number): Promise<number> {
  const before = await rpcCalls("batch_insert_user_interactions");
  const body = Array.from({ length: amount }, (_, index) => ({
    event_id: `${prefix}-${index}`,
    interaction_type: "view",
    content_type: "guides",
    content_slug: prefix,
  }));
  expect((await station.callInternal("/pulse", { body })).status).toBe(202);
  await station.quiet();
  expect(await station.sql("select from user_interactions where content_slug = $1", [prefix])).toHaveLength(amount);
  return (await rpcCalls("batch_insert_user_interactions")) - before;
}

test("flags in the home's file change how work is done within a minute, and back", async () => {
  expect(await pulse("flag-off", 40)).toBeLessThan(40);
  await flip({ "pulse-one-by-one": true });
  expect(await pulse("flag-on", 40)).toBe(40);
  await rm(join(station.home, "flags.json"));
  await station.advance(untilFlagsAreReadMs);
  expect(await pulse("flag-off-again", 40)).toBeLessThan(40);
});

test("a sequence whose flag is flipped between a crash and the next run sends nobody a second mail", async () => {
  const claimedBefore = await enrol("before", 3);
  const mend = await breakFunction(station, "complete_sequence_batch");
  expect((await run(station, "sequence", await at())).status).toBe("FAILED");
  await mend();
  expect((await mailsTo(claimedBefore)).map(({ kind }) => kind)).toEqual(["batch", "batch", "batch"]);

  await flip({ "sequence-single-mails": true });
  const claimedAfter = await enrol("after", 2);
  const seq = await lastCall();
  await station.sql("update email_sequence_batches set lease_expires_at = lease_expires_at - interval '20 minutes'");
  const ended = await run(station, "sequence", await at());
  expect(ended.output.round).toMatchObject({ totals: { returned: 5, sent: 5, failed: 0, parked: 0 } });
  expect(await mailCalls(seq)).toEqual(["/emails", "/emails"]);
  expect(await mailsTo(claimedBefore)).toHaveLength(3);
  expect((await mailsTo(claimedAfter)).map(({ kind }) => kind)).toEqual(["email", "email"]);
});

test("with Statsig's key among the secrets its gates decide, and it is told what was seen", async () => {
  const { statsigKey } = JSON.parse(await readFile(join(station.home, "credentials.json"), "utf8"));
  await send(`${station.vendors.statsig}/_gates`, { method: "PUT", body: { "digest-single-mails": true } });
  await station.changeSecret({ statsigKey });
  await station.advance(untilSecretsAreReadMs);
  const readers = await enrol("reader", 3);
  const seq = await lastCall();
  const ended = await run(station, "digest", { scheduled_time: "2026-11-23T09:00:00Z", mode: "batch" });
  expect(ended.end).toBe("Digest Done");
  const calls = await mailCalls(seq);
  expect(calls.length).toBeGreaterThanOrEqual(readers.length);
  expect(new Set(calls)).toEqual(new Set(["/emails"]));
  expect((await mailsTo(readers)).map(({ to }) => to[0]).sort()).toEqual(readers);
  expect(await station.vendorState("statsig", "events")).toContainEqual(
    expect.objectContaining({ eventName: "flag_seen", value: "true", metadata: { flag: "digest-single-mails" } }),
  );
});
