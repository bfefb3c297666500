import { setTimeout as sleep } from "node:timers/promises";
import { StopExecutionCommand } from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { breakFunction } from "./broken-function.ts";
import { addReaders, onceEach, type Readers } from "./readers.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation, type VendorCall } from "./station.ts";
import { run, startRun, untilRunEnded } from "./workflow-runs.ts";

/** More than the digest has sent when it takes up its third group: one batch of a hundred, then five. */
const amount = 620;
const minuteMs = 60_000;

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
let readers: Readers;
beforeAll(async () => {
  station = await startFlowStation();
  readers = await addReaders(station, amount);
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

async function untilBatchCalls(wanted: number, after: number): Promise<VendorCall[]> {
  for (;;) {
    const calls = (await station.calls("resend", after)).filter(({ path }) => path === "/emails/batch");
    if (calls.length >= wanted) return calls;
    await sleep(20);
  }
}
const lastSeq = async () => (await station.calls()).at(-1)?.seq ?? 0;
const keysOf = (calls: VendorCall[]) => calls.map(({ headers }) => headers["idempotency-key"]);
const claimOf = (week: string) => station.item(`digest#${week}`, "claim");

test("a run that dies half way is gone on with at the cursor, with the same content and the same way of delivery", async () => {
  const wish = { scheduled_time: "2026-11-16T09:00:00Z", mode: "batch" as const };
  const mend = await breakFunction(
    station,
    "get_digest_recipients",
    "p_after is not null and (select count(*) from public.mailable_subscriptions m where m.id <= p_after) >= 600",
  );
  const failed = await run(station, "digest", wish);
  await mend();
  expect(failed).toMatchObject({ status: "FAILED", error: "DigestFailed" });
  expect(await claimOf("2026-W47")).toMatchObject({ state: "failed", mode: "batch", batches: 6, sent: 600 });
  expect(
    [...(await readers.mailsSaying("November 9 - 15, 2026")).values()].filter((count) => count === 1),
  ).toHaveLength(600);

  await station.sql(
    "update content set title = 'Renamed since' where date_added between '2026-11-09' and '2026-11-15'",
  );
  const ended = await run(station, "digest", { ...wish, mode: "broadcast" });
  expect(ended.end).toBe("Digest Done");
  expect(await readers.mailsSaying("November 9 - 15, 2026")).toEqual(onceEach(readers.emails));
  expect((await station.outbox()).filter(({ html }) => html?.includes("Renamed since"))).toEqual([]);
  expect((await station.outbox()).filter(({ kind }) => kind === "broadcast")).toEqual([]);
  expect(
    await station.sql("select mode, status, recipients, sent, failed from digest_runs where week = '2026-W47'"),
  ).toEqual([{ mode: "batch", status: "sent", recipients: amount, sent: amount, failed: 0 }]);
});

test("a run that is stopped while nobody knows what Resend took is gone on with after its lease, under the same keys", async () => {
  const wish = { scheduled_time: "2026-11-09T09:00:00Z", mode: "batch" as const };
  const before = await lastSeq();
  await station.faults({ acceptThenTimeout: 1 });
  const name = await startRun(station, "digest", wish);
  const unanswered = await untilBatchCalls(2, before);
  await station.stepFunctions.send(
    new StopExecutionCommand({
      executionArn: `arn:aws:states:us-east-1:000000000000:execution:prod-flux-digest:${name}`,
    }),
  );
  expect((await untilRunEnded(station, "digest", name)).status).toBe("ABORTED");
  // The function that was at work still waits for Resend; what it does at the end of that is not the run's any more.
  await station.quiet();
  await station.faults({});
  expect(await claimOf("2026-W46")).toMatchObject({ state: "running" });
  expect(await claimOf("2026-W46")).not.toHaveProperty("cursor");

  expect((await run(station, "digest", wish)).end).toBe("Joined");
  await station.advance(21 * minuteMs);
  const again = await lastSeq();
  expect((await run(station, "digest", wish)).end).toBe("Digest Done");
  expect(await readers.mailsSaying("November 2 - 8, 2026")).toEqual(onceEach(readers.emails));
  expect(keysOf(await untilBatchCalls(1, again))).toEqual(expect.arrayContaining(keysOf(unanswered)));
  expect(await claimOf("2026-W46")).toMatchObject({ state: "sent", sent: amount, failed: 0, parked: 0 });
});

test("a Resend that fails for a moment costs the digest nothing", async () => {
  const before = await lastSeq();
  await station.faults({ rate5xx: 1 });
  const name = await startRun(station, "digest", { scheduled_time: "2026-11-02T09:00:00Z", mode: "batch" });
  await untilBatchCalls(1, before);
  await station.faults({});
  const ended = await untilRunEnded(station, "digest", name);
  expect(ended.end).toBe("Digest Done");
  expect(await readers.mailsSaying("October 26 - November 1, 2026")).toEqual(onceEach(readers.emails));
  expect(await claimOf("2026-W45")).toMatchObject({ state: "sent", sent: amount });
});
