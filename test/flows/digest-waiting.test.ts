import { setTimeout as sleep } from "node:timers/promises";
import { StopExecutionCommand } from "@aws-sdk/client-sfn";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { addReaders, onceEach, type Readers } from "./readers.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { run, startRun, untilRunEnded } from "./workflow-runs.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Seven batches: one that goes ahead, then five at a time. */
const amount = 620;

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let station: FlowStation;
let readers: Readers;
beforeAll(async () => {
  station = await startFlowStation();
  readers = await addReaders(station, amount);
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
/** Fast enough to keep the test short. */
const well = { limit: 100 };
beforeEach(() => station.faults(well));
afterEach(() => station.faults({}));

const nowMs = async () => Date.parse((await station.report()).now);
/** Moves time to the next moment at which clocks in UTC show this hour. */
async function advanceToHour(hour: number): Promise<void> {
  const at = await nowMs();
  await station.advance((((hour * hourMs - at) % dayMs) + dayMs) % dayMs);
}

async function untilWaiting(): Promise<void> {
  while (!("waiting workflows" in (await station.report()).pending)) await sleep(50);
}
const sendCalls = async (after: number) =>
  (await station.calls("resend", after)).filter(({ path }) => path === "/emails/batch");
const lastSeq = async () => (await station.calls()).at(-1)?.seq ?? 0;
const claimOf = (week: string) => station.item(`digest#${week}`, "claim");
const stop = (name: string) =>
  station.stepFunctions.send(
    new StopExecutionCommand({
      executionArn: `arn:aws:states:us-east-1:000000000000:execution:prod-flux-digest:${name}`,
    }),
  );

test("a quota that is gone costs a digest nothing but the hours until midnight; who leaves meanwhile gets none", async () => {
  await advanceToHour(21);
  const before = await lastSeq();
  await station.faults({ ...well, dailyQuota: 250 });
  const wish = { scheduled_time: "2026-11-16T09:00:00Z", mode: "batch" as const };
  const name = await startRun(station, "digest", wish);
  await untilWaiting();
  // Of the first group that meets the quota some calls may still be made before all know of it.
  const asked = (await sendCalls(before)).length;
  expect(asked).toBeLessThanOrEqual(6);
  const lease = Number((await claimOf("2026-W47"))?.leaseUntilMs);
  expect(lease).toBeGreaterThan((await nowMs()) + 10 * minuteMs);
  expect((await run(station, "digest", wish)).end).toBe("Joined");

  const served = [...(await readers.mailsSaying("November 9 - 15, 2026"))].filter(([, count]) => count === 1);
  expect(served).toHaveLength(200);
  const accepted = new Set(served.map(([email]) => email));
  const waiting = readers.emails.filter((email) => !accepted.has(email));
  const stored = await Promise.all(
    [0, 1, 2, 3, 4, 5].map((number) => station.item("digest#2026-W47", `batch#00000${number}`)),
  );
  const fixed = stored.flatMap((item) => ((item?.recipients ?? []) as { email: string }[]).map(({ email }) => email));
  const left = fixed.find((email) => waiting.includes(email)) ?? "";
  await station.sql("update newsletter_subscriptions set status = 'unsubscribed' where email = $1", [left]);

  await station.faults(well);
  await station.advance(3 * hourMs - 10 * minuteMs);
  expect(await sendCalls(before)).toHaveLength(asked);
  await station.advance(20 * minuteMs);
  const ended = await untilRunEnded(station, "digest", name);
  expect(ended.end).toBe("Digest Done");
  expect(await readers.mailsSaying("November 9 - 15, 2026")).toEqual(onceEach(readers.emails).set(left, 0));
  expect(
    await station.sql("select status, recipients, sent, suppressed, failed from digest_runs where week = '2026-W47'"),
  ).toEqual([{ status: "sent", recipients: amount, sent: amount - 1, suppressed: 1, failed: 0 }]);
  await station.sql("update newsletter_subscriptions set status = 'active' where email = $1", [left]);
});

test("a run that is stopped while it waits is gone on with by the next start after its lease, and nobody gets two mails", async () => {
  await advanceToHour(22);
  await station.faults({ ...well, dailyQuota: 300 });
  const wish = { scheduled_time: "2026-11-09T09:00:00Z", mode: "batch" as const };
  const stopped = await startRun(station, "digest", wish);
  await untilWaiting();
  await stop(stopped);
  expect((await untilRunEnded(station, "digest", stopped)).status).toBe("ABORTED");
  expect((await run(station, "digest", wish)).end).toBe("Joined");

  await station.advance(16 * minuteMs);
  const name = await startRun(station, "digest", wish);
  await untilWaiting();
  expect((await claimOf("2026-W46"))?.owner).toMatch(new RegExp(`:${name}$`));
  await station.faults(well);
  await station.advance(2 * hourMs);
  expect((await untilRunEnded(station, "digest", name)).end).toBe("Digest Done");
  expect(await readers.mailsSaying("November 2 - 8, 2026")).toEqual(onceEach(readers.emails));
});

test.each(["batch", "broadcast"] as const)(
  "a Resend that is down for an hour costs a digest (%s) nothing but that hour",
  async (mode) => {
    const week = { batch: "2026-11-02T09:00:00Z", broadcast: "2026-10-26T09:00:00Z" }[mode];
    await station.faults({ ...well, rate5xx: 1 });
    const name = await startRun(station, "digest", { scheduled_time: week, mode });
    await untilWaiting();
    await station.advance(hourMs);
    await station.faults(well);
    await station.advance(10 * minuteMs);
    expect((await untilRunEnded(station, "digest", name)).end).toBe("Digest Done");
    if (mode === "batch")
      expect(await readers.mailsSaying("October 26 - November 1, 2026")).toEqual(onceEach(readers.emails));
    else {
      const broadcasts = await station.vendorState<{ name: string; status: string }>("resend", "broadcasts");
      expect(broadcasts).toMatchObject([{ name: "prod weekly-digest 2026-W44", status: "sent" }]);
    }
  },
);
