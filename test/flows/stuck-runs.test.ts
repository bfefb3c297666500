import { setTimeout as sleep } from "node:timers/promises";
import {
  DescribeExecutionCommand,
  ListExecutionsCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { workflows } from "../../registry/workflows.ts";
import { addReaders, onceEach, type Readers } from "./readers.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation, type VendorCall } from "./station.ts";
import { startRun, untilRunEnded } from "./workflow-runs.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
let readers: Readers;
beforeAll(async () => {
  station = await startFlowStation();
  readers = await addReaders(station, 130);
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

type Workflow = "digest" | "sequence";
const machineArn = (workflow: Workflow) => `arn:aws:states:us-east-1:000000000000:stateMachine:prod-flux-${workflow}`;
const now = async () => Date.parse((await station.report()).now);
const signals = async (name: string) => (await station.report()).troubles[`signal.${name}`] ?? 0;
const lastSeq = async () => (await station.calls()).at(-1)?.seq ?? 0;

async function runNames(workflow: Workflow): Promise<string[]> {
  const { executions = [] } = await station.stepFunctions.send(
    new ListExecutionsCommand({ stateMachineArn: machineArn(workflow) }),
  );
  return executions.map(({ name = "" }) => name);
}

async function statusOf(workflow: Workflow, name: string): Promise<string | undefined> {
  const executionArn = `${machineArn(workflow).replace(":stateMachine:", ":execution:")}:${name}`;
  return (await station.stepFunctions.send(new DescribeExecutionCommand({ executionArn }))).status;
}

async function untilCalls(path: string, after: number): Promise<VendorCall[]> {
  for (;;) {
    const calls = (await station.calls("resend", after)).filter((call) => call.path === path);
    if (calls.length > 0) return calls;
    await sleep(20);
  }
}

/** A sweep as it would be due so many minutes from now, carried out: what it decides by is the time it was due. */
async function sweepIn(minutes: number): Promise<void> {
  const before = (await station.report()).queues["recovery-sweep"]?.done ?? 0;
  await station.fire("recovery-sweep", new Date((await now()) + minutes * minuteMs).toISOString());
  while (((await station.report()).queues["recovery-sweep"]?.done ?? 0) <= before) await sleep(25);
}

/** Milliseconds until 23:00 UTC: a quota that begins anew at midnight is an hour away then. */
const untilLateEvening = (nowMs: number) => (23 * 60 * minuteMs - (nowMs % dayMs) + dayMs) % dayMs;

const keysOf = (calls: VendorCall[]) => calls.map(({ headers }) => headers["idempotency-key"]);

test("a digest that hangs is found after its deadline, stopped, and goes on when its lease is over: every mail is there once", async () => {
  const { deadlineMinutes } = workflows.digest;
  const before = await lastSeq();
  await station.faults({ acceptThenTimeout: 1 });
  const name = await startRun(station, "digest", { scheduled_time: "2026-11-16T09:00:00Z", mode: "batch" });
  const unanswered = await untilCalls("/emails/batch", before);

  await sweepIn(deadlineMinutes - 1);
  expect(await statusOf("digest", name)).toBe("RUNNING");
  await sweepIn(deadlineMinutes + 1);
  expect(await untilRunEnded(station, "digest", name)).toMatchObject({ status: "ABORTED", error: "Stuck" });

  // The function it had called goes on for a while, and the week is its own until the lease ends.
  await station.faults({});
  await station.quiet();
  await sweepIn(0);
  expect(await runNames("digest")).toEqual([name]);

  const again = await lastSeq();
  await station.advance(40 * minuteMs);
  const resumed = `${name}-resumed-1`;
  expect(await untilRunEnded(station, "digest", resumed)).toMatchObject({ status: "SUCCEEDED", end: "Digest Done" });
  expect(await readers.mailsSaying("November 9 - 15, 2026")).toEqual(onceEach(readers.emails));
  expect(keysOf(await untilCalls("/emails/batch", again))).toEqual(expect.arrayContaining(keysOf(unanswered)));

  await sweepIn(0);
  await sweepIn(1);
  expect(await runNames("digest")).toEqual([resumed, name]);
  expect(await signals("run-resumed")).toBe(1);
  expect(await signals("run-abandoned")).toBe(0);
});

test("a digest that waits for a quota is left alone however long it takes, and goes on by itself", async () => {
  await station.advance(untilLateEvening(await now()));
  await station.faults({ dailyQuota: 0 });
  const name = await startRun(station, "digest", { scheduled_time: "2026-11-09T09:00:00Z", mode: "batch" });
  while ((await station.report()).pending["waiting workflows"] !== 1) await sleep(25);
  await sweepIn(workflows.digest.deadlineMinutes * 3);
  expect(await statusOf("digest", name)).toBe("RUNNING");
  await station.faults({});
  await station.advance(90 * minuteMs);
  expect(await untilRunEnded(station, "digest", name)).toMatchObject({ end: "Digest Done" });
  expect(await readers.mailsSaying("November 2 - 8, 2026")).toEqual(onceEach(readers.emails));
});

test("a sequence that hangs goes on as well, with the very batch it had in hand", async () => {
  const people = Array.from({ length: 5 }, (_, index) => `hung${index}@example.com`);
  const signedUp = new Date((await now()) - 3 * dayMs).toISOString();
  await station.sql("select subscribe_newsletter(p_email => email, p_now => $2) from unnest($1::text[]) email", [
    people,
    signedUp,
  ]);
  const before = await lastSeq();
  await station.faults({ acceptThenTimeout: 1 });
  const name = await startRun(station, "sequence", { scheduled_time: new Date(await now()).toISOString() });
  const unanswered = await untilCalls("/emails/batch", before);
  await sweepIn(workflows.sequence.deadlineMinutes + 1);
  expect(await untilRunEnded(station, "sequence", name)).toMatchObject({ status: "ABORTED", error: "Stuck" });
  await station.faults({});
  await station.quiet();
  await sweepIn(0);
  expect(await runNames("sequence")).not.toContain(`${name}-resumed-1`);

  const again = await lastSeq();
  await station.advance(25 * minuteMs);
  expect(await untilRunEnded(station, "sequence", `${name}-resumed-1`)).toMatchObject({ end: "Sequence Done" });
  const steps = (await station.outbox()).filter(({ tags }) => tags.some(({ name: tag }) => tag === "step"));
  expect(people.map((email) => steps.filter(({ to }) => to.includes(email)).length)).toEqual(people.map(() => 1));
  expect(keysOf(await untilCalls("/emails/batch", again))).toEqual(keysOf(unanswered));
});

test("a run that hangs again after every new start is stopped for good, and an alarm says so", async () => {
  const before = await lastSeq();
  await station.faults({ hang: true });
  const name = "hopeless-resumed-3";
  await station.stepFunctions.send(
    new StartExecutionCommand({
      stateMachineArn: machineArn("digest"),
      name,
      input: JSON.stringify({ scheduledTime: "2026-11-02T09:00:00Z", mode: "batch" }),
    }),
  );
  await untilCalls("/emails/batch", before);
  const resumedBefore = await signals("run-resumed");
  await sweepIn(workflows.digest.deadlineMinutes + 1);
  expect(await untilRunEnded(station, "digest", name)).toMatchObject({ status: "ABORTED", error: "Abandoned" });
  expect(await signals("run-abandoned")).toBe(1);
  await station.faults({});
  await station.quiet();
  await station.advance(40 * minuteMs);
  expect((await runNames("digest")).filter((each) => each.startsWith("hopeless"))).toEqual([name]);
  expect(await signals("run-resumed")).toBe(resumedBefore);
  expect(await signals("run-abandoned")).toBe(1);
});

test("a run that an operator stopped stays stopped", async () => {
  const started = { scheduledTime: new Date(await now()).toISOString() };
  const name = "stopped-by-hand";
  const { executionArn } = await station.stepFunctions.send(
    new StartExecutionCommand({ stateMachineArn: machineArn("sequence"), name, input: JSON.stringify(started) }),
  );
  await station.stepFunctions.send(new StopExecutionCommand({ executionArn }));
  expect(await untilRunEnded(station, "sequence", name)).toMatchObject({ status: "ABORTED", error: undefined });
  await station.advance(40 * minuteMs);
  expect((await runNames("sequence")).filter((each) => each.startsWith(name))).toEqual([name]);
});
