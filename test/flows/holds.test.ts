import { setTimeout as sleep } from "node:timers/promises";
import {
  GetEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  ResourceNotFoundException,
  UpdateEventSourceMappingCommand,
} from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { pause, resume } from "../../cli/pause.ts";
import { localTarget, type Target } from "../../cli/target.ts";
import type { Payload } from "../../lambdas/core/messages.ts";
import { createHolds } from "../../lambdas/runtime/holds.ts";
import type { QueueName } from "../../registry/queues.ts";
import { sendMessage } from "./message.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const queueName = "prod-flux-subscription";

vi.setConfig({ testTimeout: 60_000 });

let station: FlowStation;
let target: Target;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
beforeEach(async () => {
  // Made for each test, as the operator's command makes it for each call: it reads the station's clock.
  target = await localTarget(station.home);
  vi.spyOn(console, "log").mockReturnValue();
});
afterEach(() => {
  target.close();
  vi.restoreAllMocks();
});

const said = () => vi.mocked(console.log).mock.calls.join("\n");
const run = (command: typeof pause, args: string[], flags = {}) => command.run(target, { args, flags });
const held = async () => (await station.report()).held;
const signals = async (name: string) => (await station.report()).troubles[`signal.${name}`] ?? 0;

/** Waits until the mapping's last poll is over. */
async function untilHeld(name: string, isHeld = true): Promise<void> {
  while (name in (await held()) !== isHeld) await sleep(25);
}

async function subscribe(addresses: string[]): Promise<void> {
  for (const email of addresses) expect((await station.subscribe(email)).status).toBe(202);
  await station.quiet();
}

async function mailsTo(addresses: string[]): Promise<number[]> {
  return Promise.all(addresses.map(async (email) => (await station.outbox(email)).length));
}

describe("A queue that the operator pauses", () => {
  test("hands out nothing while its messages wait, and after its time they are carried out once", async () => {
    const readers = ["a1@example.com", "a2@example.com", "a3@example.com"];
    await run(pause, ["subscription"], { for: "2h", reason: "a look at the welcome mail" });
    expect(said()).toMatch(/subscription is on hold until 20\d\d-.*\nIts worker stops within a minute\./);
    await untilHeld(queueName);
    await subscribe(readers);
    expect(await held()).toEqual({ [queueName]: 3 });
    expect((await station.report()).pending).toEqual({});
    await station.advance(hourMs);
    expect(await mailsTo(readers)).toEqual([0, 0, 0]);
    expect(await held()).toEqual({ [queueName]: 3 });

    await station.advance(hourMs + 2 * minuteMs);
    expect(await held()).toEqual({});
    expect(await mailsTo(readers)).toEqual([1, 1, 1]);
    expect(await station.deadLetters("subscription")).toEqual([]);
    expect(await signals("queue-held")).toBe(0);
  });

  test("without an end waits until it is resumed, and goes on at once then", async () => {
    await run(pause, ["subscription"]);
    await untilHeld(queueName);
    await subscribe(["b1@example.com"]);
    await station.advance(24 * hourMs);
    expect(await mailsTo(["b1@example.com"])).toEqual([0]);
    await run(resume, ["subscription"]);
    expect(said()).toMatch(/Lifted the hold of subscription: by the operator, without an end, paused \(.+\)/);
    await untilHeld(queueName, false);
    await station.quiet();
    expect(await mailsTo(["b1@example.com"])).toEqual([1]);
  });

  test("leaves the other queues at work, and the door open", async () => {
    await run(pause, ["subscription"], { for: "1h" });
    await untilHeld(queueName);
    await sendMessage(station, "email", jobPosted("c1@example.com"));
    await station.quiet();
    expect(await mailsTo(["c1@example.com"])).toEqual([1]);
    await run(resume, ["subscription"]);
    await untilHeld(queueName, false);
  });
});

test("A pause that makes no sense is refused with a sentence", async () => {
  await expect(run(pause, [])).rejects.toThrow("Name one queue.");
  await expect(run(pause, ["subscriptions"])).rejects.toThrow(
    /There is no queue "subscriptions"\. There are: subscription,/,
  );
  await expect(run(pause, ["recovery-sweep"])).rejects.toThrow(/cannot be paused/);
  await expect(run(pause, ["email"], { for: "soon" })).rejects.toThrow(/"soon" is no duration/);
  await expect(run(pause, ["email"], { for: "11d" })).rejects.toThrow(/SQS drops a message after 14 days/);
  expect(await held()).toEqual({});
});

test("A hold that the station places is made true by the next sweep and tells once that it is", async () => {
  const holds = createHolds(target);
  await holds.place({ queue: "subscription", untilMs: target.now() + hourMs, reason: "no quota", by: "station" });
  await station.fire("recovery-sweep");
  await untilHeld(queueName);
  await station.fire("recovery-sweep");
  await station.quiet();
  expect(await signals("queue-held")).toBe(1);
  await subscribe(["d1@example.com"]);
  expect(await mailsTo(["d1@example.com"])).toEqual([0]);
  await station.advance(hourMs + minuteMs);
  expect(await mailsTo(["d1@example.com"])).toEqual([1]);
});

test("When Resend's quota is used up, nothing circulates until midnight, and then every mail leaves once", async () => {
  // Of less than fifteen minutes a message's own delay would take care.
  await station.advance((6 * hourMs - (target.now() % dayMs) + dayMs) % dayMs);
  const readers = Array.from({ length: 12 }, (_, index) => `quota${index}@example.com`);
  await station.faults({ dailyQuota: 0 });
  for (const email of readers) await sendMessage(station, "email", jobPosted(email));
  const untilMs = await untilHoldPlaced("email");
  expect(new Date(untilMs).toISOString()).toMatch(/T00:00:00\.000Z$/);
  await station.fire("recovery-sweep");
  await untilHeld("prod-flux-email");
  await station.quiet();
  const { seq } = (await station.calls()).at(-1) ?? { seq: 0 };
  const { now } = await station.report();
  await station.advance(untilMs - Date.parse(now) - minuteMs);
  expect(await station.calls("resend", seq)).toEqual([]);
  expect(await held()).toEqual({ "prod-flux-email": readers.length });

  await station.faults({});
  await station.advance(30 * minuteMs);
  expect(await mailsTo(readers)).toEqual(readers.map(() => 1));
  expect(await station.deadLetters("email")).toEqual([]);
  expect(await held()).toEqual({});
});

const jobPosted = (to: string): Payload<"email"> => ({
  template: "job-posted",
  to,
  data: { jobTitle: "Librarian", company: "Acme", jobSlug: "librarian" },
  ledgerKey: `job/${to}/job-posted`,
});

/** Until a worker has placed a hold; answers its end. */
async function untilHoldPlaced(queue: QueueName): Promise<number> {
  for (;;) {
    // Later than the target was made, the station's time has moved on.
    const hold = await createHolds({ table: target.table, now: () => 0 }).read(queue);
    if (hold?.untilMs) return hold.untilMs;
    await sleep(25);
  }
}

describe("Lambda's own API on this machine", () => {
  let lambda: LambdaClient;
  beforeAll(() => {
    lambda = new LambdaClient({
      endpoint: station.endpoints.lambda,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
  });
  afterAll(() => lambda.destroy());

  const list = async (FunctionName?: string) =>
    (await lambda.send(new ListEventSourceMappingsCommand(FunctionName ? { FunctionName } : {}))).EventSourceMappings;

  test("lists the mappings of the stack, all or a function's", async () => {
    expect((await list())?.length).toBeGreaterThan(10);
    const byName = await list("prod-flux-email-worker");
    expect(byName).toMatchObject([
      {
        FunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:prod-flux-email-worker",
        EventSourceArn: "arn:aws:sqs:us-east-1:000000000000:prod-flux-email",
        State: "Enabled",
        BatchSize: 10,
        LastModified: expect.any(Date),
      },
    ]);
    expect(await list("arn:aws:lambda:us-east-1:000000000000:function:prod-flux-email-worker")).toEqual(byName);
    await expect(list("prod-flux-nobody")).rejects.toThrow(ResourceNotFoundException);
  });

  test("pages as Lambda does", async () => {
    const uuids = new Set<string | undefined>();
    let Marker: string | undefined;
    do {
      const page = await lambda.send(new ListEventSourceMappingsCommand({ MaxItems: 4, Marker }));
      for (const { UUID } of page.EventSourceMappings ?? []) uuids.add(UUID);
      Marker = page.NextMarker;
    } while (Marker);
    expect(uuids.size).toBe((await list())?.length);
  });

  test("switches a mapping off and on, by way of a state in between, in which it takes no change", async () => {
    const UUID = (await list("prod-flux-pulse-worker"))?.[0]?.UUID;
    const state = async () => (await lambda.send(new GetEventSourceMappingCommand({ UUID }))).State;
    const off = await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
    expect(off).toMatchObject({ State: "Disabling", $metadata: { httpStatusCode: 202 } });
    await expect(lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: true }))).rejects.toThrow(
      expect.objectContaining({ name: "ResourceInUseException" }),
    );
    while ((await state()) !== "Disabled") await sleep(25);
    expect(await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: true }))).toMatchObject({
      State: "Enabling",
    });
    expect(await state()).toBe("Enabled");
  });

  test("refuses what it does not know and what it cannot do", async () => {
    const unknown = { UUID: "00000000-0000-4000-8000-000000000000", Enabled: true };
    await expect(lambda.send(new UpdateEventSourceMappingCommand(unknown))).rejects.toThrow(ResourceNotFoundException);
    const UUID = (await list("prod-flux-pulse-worker"))?.[0]?.UUID;
    await expect(lambda.send(new UpdateEventSourceMappingCommand({ UUID, BatchSize: 5 }))).rejects.toThrow(
      expect.objectContaining({
        name: "InvalidParameterValueException",
        message: expect.stringContaining("BatchSize"),
      }),
    );
  });

  test("what somebody switches off without a hold, the sweep switches on again", async () => {
    const UUID = (await list("prod-flux-pulse-worker"))?.[0]?.UUID;
    await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
    await untilHeld("prod-flux-pulse");
    await station.fire("recovery-sweep");
    await untilHeld("prod-flux-pulse", false);
  });
});
