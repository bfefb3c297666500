import type { SQSBatchResponse, SQSRecord } from "aws-lambda";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { type Envelope, makeEnvelope } from "../../lambdas/core/messages.ts";
import { Deferred, InvalidInput, PermanentFailure } from "../../lambdas/core/outcome.ts";
import { ProviderUnavailable } from "../../lambdas/core/provider-failure.ts";
import { createHolds } from "../../lambdas/runtime/holds.ts";
import { createMessageSender } from "../../lambdas/runtime/message-sender.ts";
import { readQueueRecord, recordBatch } from "../../lambdas/runtime/queue-records.ts";
import type { StateTable } from "../../lambdas/runtime/state-table.ts";
import { createWorker, type MessageHandler } from "../../lambdas/runtime/worker.ts";
import { toRecords } from "../../local/aws/event-source-mapping-batch.ts";
import { type Sqs, startSqs } from "../../local/aws/sqs.ts";
import { lambdaContext } from "./lambda-context.ts";
import { brokenTable, localAws, startState } from "./state.ts";

const queueNames = {
  "segment-recovery": ["recovery", "recovery-dlq"],
  "segment-sync": ["sync.fifo", "sync-dlq.fifo"],
} as const;
type QueueName = keyof typeof queueNames;

const subscriptionId = "0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001";
let state: Awaited<ReturnType<typeof startState>>;
let sqs: Sqs;
let table: StateTable;

beforeAll(async () => {
  state = await startState();
  table = state.open(Date.now);
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  vi.stubEnv("BACKOFF_BASE_SECONDS", "1");
  vi.stubEnv("AWS_REGION", localAws.region);
  vi.stubEnv("AWS_ACCESS_KEY_ID", localAws.credentials.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", localAws.credentials.secretAccessKey);
});
afterAll(async () => {
  await state.close();
});

async function startQueues(): Promise<void> {
  const fifo = (name: string) => (name.endsWith(".fifo") ? { FifoQueue: true } : {});
  sqs = await startSqs({
    queues: Object.values(queueNames).flatMap(([queue, deadLetters]) => [
      { name: deadLetters, properties: fifo(deadLetters) },
      { name: queue, properties: { VisibilityTimeout: 540, ...fifo(queue) } },
    ]),
    now: Date.now,
  });
  vi.stubEnv("AWS_ENDPOINT_URL_SQS", sqs.url);
  for (const [name, [queue, deadLetters]] of Object.entries(queueNames)) {
    const upper = name.toUpperCase().replace("-", "_");
    vi.stubEnv(`QUEUE_URL_${upper}`, sqs.queueUrl(queue));
    vi.stubEnv(`DEAD_LETTER_URL_${upper}`, sqs.queueUrl(deadLetters));
  }
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
}

beforeAll(startQueues);
afterEach(async () => {
  vi.restoreAllMocks();
  await sqs.close();
  await startQueues();
});
afterAll(() => sqs.close());

const envelope = (fields: Partial<Envelope<{ subscriptionId: string }>> = {}) => ({
  ...makeEnvelope("segment-recovery", { subscriptionId }, { businessKey: "b", correlationId: "c", nowMs: Date.now() }),
  ...fields,
});

const sendBody = (queue: string, MessageBody: string, group?: string) =>
  sqs.call("SendMessage", {
    QueueUrl: sqs.queueUrl(queue),
    MessageBody,
    ...(group ? { MessageGroupId: group, MessageDeduplicationId: MessageBody.slice(0, 20) + Math.random() } : {}),
  });

/** What a poller gets within five seconds, as a Lambda event has it. */
async function receive(queue: string, WaitTimeSeconds = 5): Promise<SQSRecord[]> {
  const answer = await sqs.call("ReceiveMessage", {
    QueueUrl: sqs.queueUrl(queue),
    MaxNumberOfMessages: 10,
    WaitTimeSeconds,
    MessageSystemAttributeNames: ["All"],
    MessageAttributeNames: ["All"],
  });
  return toRecords(answer, `arn:aws:sqs:us-east-1:000000000000:${queue}`);
}

/** Two pauses of different length may end in two polls. */
async function receiveBoth(queue: string): Promise<SQSRecord[]> {
  const first = await receive(queue);
  return first.length === 2 ? first : [...first, ...(await receive(queue, 3))];
}

/** Hands records to a worker, deletes the done ones as Lambda does, and answers the failed ones. */
async function work<Q extends QueueName>(
  queue: Q,
  handle: MessageHandler<Q>,
  { records, now = Date.now, shared = table }: { records?: SQSRecord[]; now?: () => number; shared?: StateTable } = {},
): Promise<{ records: SQSRecord[]; failed: string[] }> {
  const [name] = queueNames[queue];
  const batch = records ?? (await receive(name));
  const worker = createWorker(queue, async () => ({ handle, table: shared, now }));
  const response = (await worker({ Records: batch }, lambdaContext(), () => {})) as SQSBatchResponse;
  const failed = response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  for (const { messageId, receiptHandle } of batch)
    if (!failed.includes(messageId))
      await sqs.call("DeleteMessage", { QueueUrl: sqs.queueUrl(name), ReceiptHandle: receiptHandle });
  return { records: batch, failed };
}

const counts = (queue: string) => sqs.inspect(queue);
const nothingLeft = { visible: 0, inFlight: 0, delayed: 0 };

describe("a message", () => {
  test("that is done is gone, and the queue's record says when", async () => {
    await sendBody("recovery", JSON.stringify(envelope()));
    const seen: unknown[] = [];
    await work("segment-recovery", async ({ payload }) => {
      seen.push(payload);
      return "done";
    });
    expect(seen).toEqual([{ subscriptionId }]);
    expect(await counts("recovery")).toEqual(nothingLeft);
    expect(await readQueueRecord(table, "segment-recovery")).toMatchObject({
      errorStreak: 0,
      lastSuccessAt: expect.any(String),
    });
  });

  test.each([
    ["no JSON", "{", "body"],
    ["no envelope", "{}", "payload"],
    ["another queue's envelope", JSON.stringify(envelope({ type: "pulse" })), "type"],
    ["a payload that breaks the contract", JSON.stringify({ ...envelope(), payload: {} }), "payload.subscriptionId"],
  ])("with %s is dead-lettered at once, with the reason", async (_name, body, field) => {
    await sendBody("recovery", body);
    const { failed } = await work("segment-recovery", () => Promise.reject(new Error("must not be handled")));
    expect(failed).toEqual([]);
    expect(await counts("recovery")).toEqual(nothingLeft);
    const [dead] = await receive("recovery-dlq");
    expect(dead?.body).toBe(body);
    expect(dead?.messageAttributes).toMatchObject({
      errorName: { stringValue: "InvalidInput" },
      reason: { stringValue: expect.stringContaining(field) },
      attempts: { stringValue: "1" },
      fingerprint: { stringValue: expect.stringMatching(/^[0-9a-f]{12}$/) },
    });
  });

  test.each([
    ["an invalid one", new InvalidInput("never")],
    ["a refused one", new PermanentFailure("no", { cause: new Error("422") })],
    ["one with control characters in it", new InvalidInput('type "\u0001\u0000" is unknown')],
    ["one cut within a character", new InvalidInput(`${"x".repeat(1023)}🚀`)],
    ["one without a message", new InvalidInput("")],
  ])("is dead-lettered at once for %s", async (_name, error) => {
    await sendBody("recovery", JSON.stringify(envelope()));
    const { failed } = await work("segment-recovery", () => Promise.reject(error));
    expect(failed).toEqual([]);
    const [dead] = await receive("recovery-dlq");
    expect(dead?.messageAttributes.errorName?.stringValue).toBe(error.name);
    expect(dead?.messageAttributes.reason?.stringValue).not.toBe("");
  });

  test("that fails comes back after the pause, counted, with a record of why", async () => {
    const message = envelope();
    await sendBody("recovery", JSON.stringify(message));
    const fail = () => Promise.reject(new Error("Resend is down", { cause: new Error("ECONNRESET") }));
    const first = await work("segment-recovery", fail);
    expect(first.failed).toEqual(first.records.map(({ messageId }) => messageId));
    expect(await receive("recovery", 0)).toEqual([]);
    // The queue hides messages for nine minutes; the worker has them back after a second.
    const second = await work("segment-recovery", fail);
    expect(second.records.map(({ attributes }) => attributes.ApproximateReceiveCount)).toEqual(["2"]);
    expect(await table.get({ pk: "failure#segment-recovery", sk: message.id })).toMatchObject({
      errorName: "Error",
      errorMessage: "Resend is down <- ECONNRESET",
      attempts: 2,
      correlationId: "c",
      firstSeenAt: message.firstSeenAt,
      fingerprint: expect.any(String),
    });
  });

  test("that has to wait is sent again with a delay: the same, uncounted, one deferral older", async () => {
    const message = envelope();
    await sendBody("recovery", JSON.stringify(message));
    const { failed } = await work("segment-recovery", () => Promise.reject(new Deferred("later", Date.now() + 900)));
    expect(failed).toEqual([]);
    expect(await counts("recovery")).toEqual({ visible: 0, inFlight: 0, delayed: 1 });
    const [again] = await receive("recovery");
    expect(JSON.parse(again?.body ?? "")).toEqual({ ...message, deferrals: 1 });
    expect(again?.attributes.ApproximateReceiveCount).toBe("1");
    expect(await counts("recovery-dlq")).toEqual(nothingLeft);
  });

  test("that had to wait for more than a week is dead-lettered: nothing circulates for ever", async () => {
    const message = envelope({
      firstSeenAt: new Date(Date.now() - 7 * 86_400_000 - 1000).toISOString(),
      deferrals: 700,
    });
    await sendBody("recovery", JSON.stringify(message));
    const { failed } = await work("segment-recovery", () => Promise.reject(new Deferred("quota", Date.now() + 900)));
    expect(failed).toEqual([]);
    expect(await counts("recovery")).toEqual(nothingLeft);
    const [dead] = await receive("recovery-dlq");
    expect(dead?.messageAttributes.reason?.stringValue).toContain("deferred again and again since");
    expect(dead?.messageAttributes.reason?.stringValue).toContain("quota");
  });

  test("whose provider is down is sent again, uncounted, as soon as the provider is tried again", async () => {
    await sendBody("recovery", JSON.stringify(envelope()));
    const down = new ProviderUnavailable("Resend is down", { restUntilMs: Date.now() + 900 });
    const { failed } = await work("segment-recovery", () => Promise.reject(down));
    expect(failed).toEqual([]);
    const [again] = await receive("recovery");
    expect(again?.attributes.ApproximateReceiveCount).toBe("1");
  });

  test("whose provider failed just this once is counted", async () => {
    await sendBody("recovery", JSON.stringify(envelope()));
    const { failed } = await work("segment-recovery", () => Promise.reject(new ProviderUnavailable("500")));
    expect(failed).toHaveLength(1);
  });

  test("that failed for more than a day is dead-lettered: it may be why its provider seems to be down", async () => {
    const firstSeenAt = new Date(Date.now() - 86_400_000 - 1000).toISOString();
    await sendBody("recovery", JSON.stringify(envelope({ firstSeenAt })));
    const down = new ProviderUnavailable("Resend is down", { restUntilMs: Date.now() + 900 });
    await work("segment-recovery", () => Promise.reject(down));
    const [dead] = await receive("recovery-dlq");
    expect(dead?.messageAttributes.reason?.stringValue).toContain("Resend is down");
  });

  test("that has to wait for longer than SQS delays holds up its queue, for a day at most", async () => {
    const holds = createHolds({ table, now: Date.now });
    const heldAfter = async (untilMs: number) => {
      await sendBody("recovery", JSON.stringify(envelope()));
      await work("segment-recovery", () => Promise.reject(new Deferred("quota", untilMs)));
      return (await holds.read("segment-recovery"))?.untilMs;
    };
    expect(await heldAfter(Date.now() + 890_000)).toBeUndefined();
    const soon = Date.now() + 3_600_000;
    expect(await heldAfter(soon)).toBe(soon);
    const nextDay = Date.now() + 86_400_000;
    const heldUntil = await heldAfter(Date.now() + 20 * 86_400_000);
    expect(heldUntil).toBeGreaterThanOrEqual(nextDay);
    expect(heldUntil).toBeLessThan(nextDay + 10_000);
    await holds.lift("segment-recovery");
  });

  test("that can be neither dead-lettered nor sent again stays in its queue", async () => {
    await sendBody("recovery", JSON.stringify(envelope()));
    vi.stubEnv("DEAD_LETTER_URL_SEGMENT_RECOVERY", sqs.queueUrl("no-such-queue"));
    const { failed, records } = await work("segment-recovery", () => Promise.reject(new InvalidInput("never")));
    expect(failed).toEqual(records.map(({ messageId }) => messageId));
    expect((await counts("recovery")).inFlight).toBe(1);
    expect((await readQueueRecord(table, "segment-recovery")).errorStreak).toBeGreaterThan(0);
  });

  test("is judged apart from the others of its batch", async () => {
    const ends = ["done", "failing", "invalid", "deferred", "suppressed", "parked"] as const;
    for (const end of ends) await sendBody("recovery", JSON.stringify(envelope({ businessKey: end })));
    const { records, failed } = await work("segment-recovery", async ({ businessKey }) => {
      if (businessKey === "failing") throw new Error("down");
      if (businessKey === "invalid") throw new InvalidInput("never");
      if (businessKey === "deferred") throw new Deferred("later", Date.now() + 60_000);
      return z.enum(["done", "suppressed", "parked"]).parse(businessKey);
    });
    const keyOf = (record?: SQSRecord) =>
      z.object({ businessKey: z.string() }).parse(JSON.parse(record?.body ?? "{}")).businessKey;
    expect(records).toHaveLength(ends.length);
    expect(failed.map((id) => keyOf(records.find(({ messageId }) => messageId === id)))).toEqual(["failing"]);
    expect(await counts("recovery")).toEqual({ visible: 0, inFlight: 1, delayed: 1 });
    expect((await receive("recovery-dlq")).map(keyOf)).toEqual(["invalid"]);
  });

  test("that is done does not come back because notes of it could not be taken", async () => {
    await sendBody("recovery", JSON.stringify(envelope()));
    const { failed } = await work("segment-recovery", async () => "done", { shared: brokenTable });
    expect(failed).toEqual([]);
    expect(await counts("recovery")).toEqual(nothingLeft);
  });

  test("that fails comes back soon even when its failure could not be recorded", async () => {
    await sendBody("recovery", JSON.stringify(envelope()));
    await work("segment-recovery", () => Promise.reject(new Error("down")), { shared: brokenTable });
    expect(await receive("recovery")).toHaveLength(1);
  });
});

describe("on a FIFO queue", () => {
  const about = (contact: string) =>
    makeEnvelope("segment-sync", { subscriptionId }, { businessKey: contact, correlationId: "c", nowMs: Date.now() });

  /** Two of Ada's and one of Bob's. AWS gives several of a group at once, fauxqs does not: so they are put together. */
  const receiveTogether = async (): Promise<SQSRecord[]> => {
    for (const [group, contact] of [
      ["1", "ada"],
      ["2", "ada"],
      ["3", "bob"],
    ] as const)
      await sendBody("sync.fifo", JSON.stringify(about(contact)), group);
    const records = await receive("sync.fifo");
    return records
      .sort((left, right) => Number(left.attributes.MessageGroupId) - Number(right.attributes.MessageGroupId))
      .map((record) => ({
        ...record,
        attributes: { ...record.attributes, MessageGroupId: record.attributes.MessageGroupId === "3" ? "bob" : "ada" },
      }));
  };

  test("contacts are worked on side by side, the messages of one in turn", async () => {
    const bobIsDone = Promise.withResolvers<void>();
    const order: string[] = [];
    const { records, failed } = await work(
      "segment-sync",
      async ({ businessKey }) => {
        order.push(`${businessKey} begins`);
        // Ada's first can only end if Bob's is worked on meanwhile.
        if (businessKey === "ada") await bobIsDone.promise;
        else bobIsDone.resolve();
        order.push(`${businessKey} ends`);
        return "done";
      },
      { records: await receiveTogether() },
    );
    expect(records).toHaveLength(3);
    expect(failed).toEqual([]);
    expect(order.filter((line) => line.startsWith("ada"))).toEqual([
      "ada begins",
      "ada ends",
      "ada begins",
      "ada ends",
    ]);
  });

  test("what comes after a failed message of its contact is not tried before it, and comes back with it", async () => {
    const handled: string[] = [];
    const { failed } = await work(
      "segment-sync",
      async ({ businessKey }) => {
        handled.push(businessKey);
        if (businessKey === "ada") throw new Error("down");
        return "done";
      },
      { records: await receiveTogether() },
    );
    expect(handled.sort()).toEqual(["ada", "bob"]);
    expect(failed).toHaveLength(2);
    // Without a pause of its own the second would hold up its group for the nine minutes of the queue.
    expect(await receiveBoth("sync.fifo")).toHaveLength(2);
  });

  test("a long wait uses up no attempts, although one message cannot be delayed alone", async () => {
    const message = about("ada");
    await sendBody("sync.fifo", JSON.stringify(message), "ada");
    const attempts: string[] = [];
    const deferrals: number[] = [];
    for (let delivery = 0; delivery < 5; delivery += 1) {
      const records = await receive("sync.fifo");
      attempts.push(...records.map(({ attributes }) => attributes.ApproximateReceiveCount));
      deferrals.push(...records.map(({ body }) => JSON.parse(body).deferrals));
      await work("segment-sync", () => Promise.reject(new Deferred("later", Date.now() + 900)), { records });
    }
    expect(attempts).toEqual(["1", "2", "1", "2", "1"]);
    expect(deferrals).toEqual([0, 0, 1, 1, 2]);
    expect(await counts("sync-dlq.fifo")).toEqual(nothingLeft);
  });

  test("a message that waits is hidden until then, and what comes after it is not tried before", async () => {
    const handled: string[] = [];
    const { failed } = await work(
      "segment-sync",
      async ({ businessKey }) => {
        handled.push(businessKey);
        throw new Deferred("later", Date.now() + 60_000);
      },
      { records: (await receiveTogether()).slice(0, 2) },
    );
    expect(handled).toEqual(["ada"]);
    expect(failed).toHaveLength(2);
    expect((await readQueueRecord(table, "segment-sync")).errorStreak).toBe(0);
  });

  test("an invalid message reaches the FIFO dead-letter queue", async () => {
    await sendBody("sync.fifo", "{}", "ada");
    await work("segment-sync", async () => "done");
    expect(await receive("sync-dlq.fifo")).toHaveLength(1);
  });
});

describe("the sender", () => {
  const sender = () => createMessageSender((queue) => sqs.queueUrl(queueNames[queue as QueueName][0]));

  test("splits any number of messages into SQS's batches", async () => {
    expect(
      await sender().sendAll(
        "segment-recovery",
        Array.from({ length: 25 }, () => envelope({})),
      ),
    ).toEqual([]);
    expect((await counts("recovery")).visible).toBe(25);
  });

  test("puts the same message on a FIFO queue once", async () => {
    const message = makeEnvelope(
      "segment-sync",
      { subscriptionId },
      { businessKey: "ada", correlationId: "c", nowMs: 0 },
    );
    await sender().send("segment-sync", message);
    await sender().send("segment-sync", message);
    expect((await counts("sync.fifo")).visible).toBe(1);
  });

  test("refuses a message that breaks its contract before anything is sent", async () => {
    const broken = { ...envelope(), payload: { subscriptionId: "1" } };
    await expect(sender().sendAll("segment-recovery", [envelope(), broken])).rejects.toThrow(InvalidInput);
    expect((await counts("recovery")).visible).toBe(0);
  });
});

test("a queue's streak of errors grows with failed batches, and ends with the first success", async () => {
  const at = Date.parse("2026-03-02T09:00:00Z");
  expect(await readQueueRecord(table, "pulse")).toEqual({ lastSuccessAt: null, errorStreak: 0 });
  await recordBatch(table, "pulse", ["failing", "failing"], at);
  await recordBatch(table, "pulse", ["invalid", "deferred"], at);
  await recordBatch(table, "pulse", ["deferred"], at);
  expect(await readQueueRecord(table, "pulse")).toEqual({ lastSuccessAt: null, errorStreak: 2 });
  await recordBatch(table, "pulse", ["failing", "done"], at);
  await recordBatch(table, "pulse", ["failing"], at + 1);
  expect(await readQueueRecord(table, "pulse")).toEqual({ lastSuccessAt: "2026-03-02T09:00:00.000Z", errorStreak: 1 });
});
