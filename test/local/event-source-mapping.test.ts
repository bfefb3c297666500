import type { SQSEvent, SQSRecord } from "aws-lambda";
import { afterEach, describe, expect, test } from "vitest";
import {
  type BatchReport,
  eventSourceMappingKind,
  type MappingProperties,
  startEventSourceMapping,
} from "../../local/aws/event-source-mapping.ts";
import { doneRecords, splitByPayload } from "../../local/aws/event-source-mapping-batch.ts";
import type { InvokeOutcome } from "../../local/aws/lambda/invoke.ts";
import { type QueueProperties, type Sqs, startSqs } from "../../local/aws/sqs.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const functionArn = "arn:aws:lambda:us-east-1:000000000000:function:worker";
const arnOf = (queueName: string) => `arn:aws:sqs:us-east-1:000000000000:${queueName}`;
const parse = (properties: Record<string, unknown>): MappingProperties =>
  eventSourceMappingKind.properties.parse({ FunctionName: "worker", ...properties });

const until = async (condition: () => boolean | Promise<boolean>) => {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
};

async function withMapping(options: {
  name?: string;
  queue?: QueueProperties;
  mapping?: Record<string, unknown>;
  handler: (event: SQSEvent) => Promise<InvokeOutcome>;
}) {
  const name = options.name ?? "work";
  const sqs = await startSqs({ queues: [{ name, properties: options.queue ?? {} }], now: Date.now });
  cleanups.push(sqs.close);
  const reports: BatchReport[] = [];
  const mapping = await startEventSourceMapping({
    mapping: parse({ EventSourceArn: arnOf(name), ...options.mapping }),
    functionArn,
    sqs,
    invoke: async (_arn, payload) => options.handler(payload as SQSEvent),
    now: Date.now,
    onBatch: (report) => reports.push(report),
  });
  cleanups.push(mapping.stop);
  const send = (MessageBody: string, more: Record<string, unknown> = {}) =>
    sqs.call("SendMessage", { QueueUrl: sqs.queueUrl(name), MessageBody, ...more });
  const doneCount = () => reports.flatMap(({ doneIds }) => doneIds).length;
  return { sqs, mapping, send, reports, doneCount, counts: () => sqs.inspect(name) };
}

const succeed = async (): Promise<InvokeOutcome> => ({ ok: true, payload: null });
const bodies = (records: SQSRecord[]) => records.map(({ body }) => body);

describe("a record", () => {
  test("has the shape Lambda gives it, message attributes and FIFO fields included", async () => {
    const { send, reports, doneCount } = await withMapping({
      name: "work.fifo",
      queue: { FifoQueue: true },
      handler: succeed,
    });
    await send("hello", {
      MessageGroupId: "group",
      MessageDeduplicationId: "once",
      MessageAttributes: { kind: { DataType: "String", StringValue: "greeting" } },
    });
    await until(() => doneCount() === 1);
    expect(reports[0]?.records[0]).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiptHandle: expect.any(String),
      body: "hello",
      attributes: {
        ApproximateReceiveCount: "1",
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
        SenderId: expect.any(String),
        SequenceNumber: expect.any(String),
        MessageGroupId: "group",
        MessageDeduplicationId: "once",
      },
      messageAttributes: {
        kind: { stringValue: "greeting", stringListValues: [], binaryListValues: [], dataType: "String" },
      },
      md5OfBody: "5d41402abc4b2a76b9719d911017c592",
      md5OfMessageAttributes: expect.any(String),
      eventSource: "aws:sqs",
      eventSourceARN: arnOf("work.fifo"),
      awsRegion: "us-east-1",
    });
  });

  test("reaches the function within 50 ms of being sent to an idle queue", async () => {
    let arrivedAt = 0;
    const { send, doneCount } = await withMapping({
      handler: async () => {
        arrivedAt = performance.now();
        return { ok: true, payload: null };
      },
    });
    const latencies: number[] = [];
    for (let index = 1; index <= 5; index++) {
      const sentAt = performance.now();
      await send("x");
      await until(() => doneCount() === index);
      latencies.push(arrivedAt - sentAt);
    }
    expect(latencies.sort((a, b) => a - b)[2]).toBeLessThan(50);
  });
});

describe("what is deleted", () => {
  test("everything the function handled, nothing when it failed, and a failed batch stays hidden", async () => {
    let failures = 0;
    const { send, counts, doneCount, reports } = await withMapping({
      handler: async ({ Records }) =>
        bodies(Records).includes("bad")
          ? { ok: false, errorType: "Error", errorMessage: `failure ${++failures}` }
          : { ok: true, payload: null },
    });
    await send("good");
    await until(() => doneCount() === 1);
    await send("bad");
    await until(() => reports.length === 2);
    expect(await counts()).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(failures).toBe(1);
  });

  test("a failed record comes back when its visibility ends, with its receive count up", async () => {
    const { send, reports } = await withMapping({
      queue: { VisibilityTimeout: 1 },
      handler: async () => ({ ok: false, errorType: "Error", errorMessage: "no" }),
    });
    await send("bad");
    await until(() => reports.length === 2);
    const [first, second] = reports.map(({ records }) => records[0]?.attributes);
    expect([first?.ApproximateReceiveCount, second?.ApproximateReceiveCount]).toEqual(["1", "2"]);
  });

  test("under ReportBatchItemFailures only the records that are not listed", async () => {
    const { send, mapping, reports, counts } = await withMapping({
      mapping: { FunctionResponseTypes: ["ReportBatchItemFailures"], Enabled: false },
      handler: async ({ Records }) => ({
        ok: true,
        payload: {
          batchItemFailures: Records.filter(({ body }) => body === "bad").map(({ messageId }) => ({
            itemIdentifier: messageId,
          })),
        },
      }),
    });
    for (const body of ["good", "bad", "good"]) await send(body);
    await mapping.setEnabled(true);
    await until(() => reports.length === 1);
    expect(reports[0]?.records).toHaveLength(3);
    expect(reports[0]?.doneIds).toHaveLength(2);
    expect(await counts()).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  });

  const record = (messageId: string) => ({ messageId }) as SQSRecord;
  const records = [record("a"), record("b")];
  const failed = (...ids: unknown[]) => ({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });
  test.each<[string, unknown, number]>([
    ["nothing", null, 2],
    ["an empty object", {}, 2],
    ["an empty list", failed(), 2],
    ["no list", { batchItemFailures: null }, 2],
    ["one known id", failed("a"), 1],
    ["an id that was not in the batch", failed("a", "c"), 0],
    ["an empty id", failed(""), 0],
    ["an id that is null", failed(null), 0],
    ["another key", { batchItemFailures: [{ id: "a" }] }, 0],
    ["a string", "done", 0],
  ])("a partial reply of %s", (_name, payload, doneCount) => {
    expect(doneRecords(records, { ok: true, payload }, true)).toHaveLength(doneCount);
  });

  test("without ReportBatchItemFailures a list of failures means nothing", () => {
    expect(doneRecords(records, { ok: true, payload: failed("a") }, false)).toHaveLength(2);
  });
});

describe("batches", () => {
  test("hold at most BatchSize records", async () => {
    const { send, mapping, reports, doneCount } = await withMapping({
      mapping: { BatchSize: 3, Enabled: false },
      handler: succeed,
    });
    for (let index = 0; index < 7; index++) await send(String(index));
    await mapping.setEnabled(true);
    await until(() => doneCount() === 7);
    expect(reports.map(({ records }) => records.length)).toEqual([3, 3, 1]);
  });

  test("grow beyond 10 within the batching window and go when they are full", async () => {
    const { send, mapping, reports, doneCount } = await withMapping({
      mapping: { BatchSize: 25, MaximumBatchingWindowInSeconds: 60, Enabled: false },
      handler: succeed,
    });
    for (let index = 0; index < 25; index++) await send(String(index));
    await mapping.setEnabled(true);
    await until(() => doneCount() === 25);
    expect(reports).toHaveLength(1);
  });

  test("that are not full go when the window closes", async () => {
    const { send, reports, doneCount } = await withMapping({
      mapping: { BatchSize: 25, MaximumBatchingWindowInSeconds: 1 },
      handler: succeed,
    });
    await send("first");
    await send("second");
    await until(() => doneCount() === 2);
    expect(reports.map(({ records }) => bodies(records))).toEqual([["first", "second"]]);
  });

  test("run at most MaximumConcurrency at once, and that many do run", async () => {
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const { send, mapping, doneCount } = await withMapping({
      mapping: { BatchSize: 1, ScalingConfig: { MaximumConcurrency: 3 } },
      handler: async () => {
        running += 1;
        most = Math.max(most, running);
        await gate.promise;
        running -= 1;
        return { ok: true, payload: null };
      },
    });
    for (let index = 0; index < 12; index++) await send(String(index));
    await until(() => running === 3);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(mapping.isIdle()).toBe(false);
    gate.resolve();
    await until(() => doneCount() === 12);
    expect(most).toBe(3);
    await until(() => mapping.isIdle());
  });

  test("are cut so that each event fits an invocation of 6 MB, in order", () => {
    const large = (body: string) => ({ messageId: body, body: body.repeat(1_000_000) }) as SQSRecord;
    const batches = splitByPayload(["a", "b", "c", "d", "e", "f", "g"].map(large));
    expect(batches.map((batch) => batch.map(({ messageId }) => messageId).join(""))).toEqual(["abcdef", "g"]);
    expect(splitByPayload([])).toEqual([]);
  });
});

test("a FIFO group has one batch in flight and keeps its order while other groups go on", async () => {
  const running = new Set<string>();
  const order: string[] = [];
  let most = 0;
  const { send, mapping, doneCount } = await withMapping({
    name: "work.fifo",
    queue: { FifoQueue: true },
    mapping: { BatchSize: 1, Enabled: false },
    handler: async ({ Records }) => {
      const group = Records[0]?.attributes.MessageGroupId ?? "";
      if (running.has(group)) throw new Error(`two batches of group ${group} at once`);
      running.add(group);
      most = Math.max(most, running.size);
      order.push(...bodies(Records));
      await new Promise((resolve) => setTimeout(resolve, 5));
      running.delete(group);
      return { ok: true, payload: null };
    },
  });
  for (let index = 0; index < 4; index++) {
    for (const group of ["a", "b", "c"]) {
      await send(`${group}${index}`, { MessageGroupId: group, MessageDeduplicationId: `${group}${index}` });
    }
  }
  await mapping.setEnabled(true);
  await until(() => doneCount() === 12);
  expect(most).toBeGreaterThan(1);
  for (const group of ["a", "b", "c"]) {
    expect(order.filter((body) => body.startsWith(group))).toEqual([0, 1, 2, 3].map((index) => `${group}${index}`));
  }
});

describe("switching", () => {
  test("a disabled mapping leaves messages alone, and enabling it drains them", async () => {
    const { send, mapping, counts, doneCount } = await withMapping({ handler: succeed });
    await mapping.setEnabled(false);
    expect(mapping.state()).toBe("Disabled");
    await send("x");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await counts()).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    await mapping.setEnabled(true);
    expect(mapping.state()).toBe("Enabled");
    await until(() => doneCount() === 1);
  });

  test("disabling and enabling in one breath leaves it polling, once", async () => {
    const { send, mapping, doneCount } = await withMapping({ handler: succeed });
    const disabling = mapping.setEnabled(false);
    expect(mapping.state()).toBe("Disabling");
    await mapping.setEnabled(true);
    await send("x");
    await until(() => doneCount() === 1);
    await mapping.setEnabled(false);
    await disabling;
    await send("y");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(doneCount()).toBe(1);
  });

  test("stopping an idle mapping does not wait for its poll, and SQS closes at once after it", async () => {
    const { mapping, sqs } = await withMapping({ handler: succeed });
    const startedAt = performance.now();
    await mapping.stop();
    await sqs.close();
    expect(performance.now() - startedAt).toBeLessThan(300);
  });

  test("stopping waits for the batch in flight and cannot be undone", async () => {
    const gate = Promise.withResolvers<InvokeOutcome>();
    let started = false;
    const { send, mapping, reports } = await withMapping({
      handler: () => {
        started = true;
        return gate.promise;
      },
    });
    await send("x");
    await until(() => started);
    let stopped = false;
    const stopping = mapping.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stopped).toBe(false);
    gate.resolve({ ok: true, payload: null });
    await stopping;
    expect(reports).toHaveLength(1);
    await expect(mapping.setEnabled(true)).rejects.toThrow("has been stopped");
  });
});

test("a poll that fails is reported and tried again", async () => {
  const real = await startSqs({ queues: [{ name: "work", properties: {} }], now: Date.now });
  cleanups.push(real.close);
  let failing = true;
  const call: Sqs["call"] = async (operation, input) => {
    if (operation === "ReceiveMessage" && failing) throw new Error("poll failed");
    return real.call(operation, input);
  };
  const errors: unknown[] = [];
  let invocations = 0;
  const mapping = await startEventSourceMapping({
    mapping: parse({ EventSourceArn: arnOf("work") }),
    functionArn,
    sqs: { ...real, call },
    invoke: async () => {
      invocations += 1;
      return { ok: true, payload: null };
    },
    now: Date.now,
    onError: (error) => errors.push(error),
  });
  cleanups.push(mapping.stop);
  await until(() => errors.length > 0);
  failing = false;
  await real.call("SendMessage", { QueueUrl: real.queueUrl("work"), MessageBody: "x" });
  await until(() => invocations === 1);
  expect(errors).toMatchObject([{ message: "poll failed" }]);
});

test("a queue that hides messages for less than the function's timeout is refused, as by Lambda", async () => {
  const sqs = await startSqs({ queues: [{ name: "work", properties: { VisibilityTimeout: 10 } }], now: Date.now });
  cleanups.push(sqs.close);
  await expect(
    startEventSourceMapping({
      mapping: parse({ EventSourceArn: arnOf("work") }),
      functionArn,
      functionTimeoutSeconds: 30,
      sqs,
      invoke: succeed,
      now: Date.now,
    }),
  ).rejects.toThrow(/queue work hides a message for 10 s, less than the function's timeout of 30 s/);
});

test.each([
  ["a filter", { FilterCriteria: { Filters: [] } }],
  ["a batch above 10 without a window", { BatchSize: 11 }],
  ["a maximum concurrency of 1", { ScalingConfig: { MaximumConcurrency: 1 } }],
  ["a window on a FIFO queue", { EventSourceArn: arnOf("work.fifo"), MaximumBatchingWindowInSeconds: 1 }],
  ["a batch above 10 on a FIFO queue", { EventSourceArn: arnOf("work.fifo"), BatchSize: 20 }],
  ["a source that is not SQS", { EventSourceArn: "arn:aws:kinesis:us-east-1:000000000000:stream/s" }],
])("a template with %s is refused", (_name, properties) => {
  expect(() => parse({ EventSourceArn: arnOf("work"), ...properties })).toThrow();
});
