import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterEach, describe, expect, test } from "vitest";
import { type QueueProperties, queueKind, type Sqs, startSqs } from "../../local/aws/sqs.ts";
import { createClockBuffer, installClock, uninstallClock } from "../../local/clock.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function withQueues(queues: Record<string, QueueProperties>, now: () => number = Date.now) {
  const sqs = await startSqs({
    queues: Object.entries(queues).map(([name, properties]) => ({ name, properties })),
    now,
  });
  cleanups.push(sqs.close);
  const client = new SQSClient({
    endpoint: sqs.url,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
  cleanups.push(async () => client.destroy());
  return { sqs, client };
}

async function receive(sqs: Sqs, client: SQSClient, name: string, max = 10) {
  const answer = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: sqs.queueUrl(name),
      MaxNumberOfMessages: max,
      MessageSystemAttributeNames: ["All"],
    }),
  );
  return answer.Messages ?? [];
}

const mebibyte = 1_048_576;

describe("limits of a message", () => {
  test("a message of exactly 1 MiB is taken and one byte more is refused", async () => {
    const { sqs, client } = await withQueues({ work: {} });
    const QueueUrl = sqs.queueUrl("work");
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "a".repeat(mebibyte) }));
    await expect(
      client.send(new SendMessageCommand({ QueueUrl, MessageBody: "a".repeat(mebibyte + 1) })),
    ).rejects.toMatchObject({ name: "InvalidParameterValue" });
    expect(await sqs.inspect("work")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  test("a batch whose messages together exceed 1 MiB is refused whole", async () => {
    const { sqs, client } = await withQueues({ work: {} });
    const half = "a".repeat(mebibyte / 2);
    const entries = (second: string) => [
      { Id: "a", MessageBody: half },
      { Id: "b", MessageBody: second },
    ];
    const QueueUrl = sqs.queueUrl("work");
    await expect(
      client.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries(`${half}b`) })),
    ).rejects.toMatchObject({ name: "BatchRequestTooLong" });
    expect((await sqs.inspect("work")).visible).toBe(0);
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries(half) }));
    expect((await sqs.inspect("work")).visible).toBe(2);
  });

  test("a FIFO queue refuses a delay of one message, alone and in a batch", async () => {
    const { sqs, client } = await withQueues({ "work.fifo": { FifoQueue: true } });
    const QueueUrl = sqs.queueUrl("work.fifo");
    const message = { MessageBody: "x", MessageGroupId: "g", MessageDeduplicationId: "d", DelaySeconds: 5 };
    await expect(client.send(new SendMessageCommand({ QueueUrl, ...message }))).rejects.toMatchObject({
      name: "InvalidParameterValue",
    });
    const batch = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: "a", ...message }] }));
    expect(batch.Failed).toMatchObject([{ Id: "a", Code: "InvalidParameterValue", SenderFault: true }]);
  });
});

describe("receipt handles", () => {
  test("a handle SQS never issued is refused by delete and by a change of visibility", async () => {
    const { sqs, client } = await withQueues({ work: {} });
    const bogus = { QueueUrl: sqs.queueUrl("work"), ReceiptHandle: "bogus" };
    await expect(client.send(new DeleteMessageCommand(bogus))).rejects.toMatchObject({
      name: "ReceiptHandleIsInvalid",
    });
    await expect(
      client.send(new ChangeMessageVisibilityCommand({ ...bogus, VisibilityTimeout: 0 })),
    ).rejects.toMatchObject({ name: "ReceiptHandleIsInvalid" });
  });

  test("in a batch delete only the entry with a bogus handle fails", async () => {
    const { sqs, client } = await withQueues({ work: {} });
    const QueueUrl = sqs.queueUrl("work");
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
    const [message] = await receive(sqs, client, "work");
    const answer = await client.send(
      new DeleteMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: "good", ReceiptHandle: message?.ReceiptHandle },
          { Id: "bad", ReceiptHandle: "bogus" },
        ],
      }),
    );
    expect(answer.Successful?.map(({ Id }) => Id)).toEqual(["good"]);
    expect(answer.Failed).toMatchObject([{ Id: "bad", Code: "ReceiptHandleIsInvalid" }]);
    expect(await sqs.inspect("work")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  test("deleting twice with an issued handle is no error", async () => {
    const { sqs, client } = await withQueues({ work: {} });
    const QueueUrl = sqs.queueUrl("work");
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
    const [message] = await receive(sqs, client, "work");
    const command = new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle });
    await client.send(command);
    await client.send(command);
  });
});

describe("redrive", () => {
  test("the receive after maxReceiveCount moves the message to the dead-letter queue", async () => {
    const { sqs, client } = await withQueues({
      dead: {},
      work: {
        VisibilityTimeout: 0,
        RedrivePolicy: { deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:dead", maxReceiveCount: 2 },
      },
    });
    await client.send(new SendMessageCommand({ QueueUrl: sqs.queueUrl("work"), MessageBody: "x" }));
    expect(await receive(sqs, client, "work")).toHaveLength(1);
    expect(await receive(sqs, client, "work")).toHaveLength(1);
    expect((await sqs.inspect("dead")).visible).toBe(0);
    expect(await receive(sqs, client, "work")).toHaveLength(0);
    expect((await sqs.inspect("dead")).visible).toBe(1);
  });

  test("a redrive policy that points nowhere, or from FIFO to standard, stops the start with the queue's name", async () => {
    const redriveTo = (name: string) => ({
      RedrivePolicy: { deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${name}`, maxReceiveCount: 2 },
    });
    await expect(withQueues({ work: redriveTo("gone") })).rejects.toThrow(/queue work redrives to .*gone/);
    await expect(withQueues({ dead: {}, "work.fifo": { FifoQueue: true, ...redriveTo("dead") } })).rejects.toThrow(
      "queue work.fifo and its dead-letter queue dead",
    );
  });
});

describe("FIFO", () => {
  const send = (sqs: Sqs, client: SQSClient, group: string, id: string, body = id) =>
    client.send(
      new SendMessageCommand({
        QueueUrl: sqs.queueUrl("work.fifo"),
        MessageBody: body,
        MessageGroupId: group,
        MessageDeduplicationId: id,
      }),
    );

  test("one receive takes from several groups and a group keeps its order when messages come back", async () => {
    const { sqs, client } = await withQueues({ "work.fifo": { FifoQueue: true, VisibilityTimeout: 30 } });
    for (const id of ["a1", "a2", "a3", "b1"]) await send(sqs, client, id.slice(0, 1), id);
    const seen: (string | undefined)[][] = [];
    const QueueUrl = sqs.queueUrl("work.fifo");
    for (let round = 0; round < 3; round++) {
      const messages = await receive(sqs, client, "work.fifo");
      seen.push(messages.map(({ Body }) => Body));
      // Given back together, as when a whole batch times out.
      for (const { ReceiptHandle } of messages) {
        await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
      }
    }
    for (const round of seen) expect(round.sort()).toEqual(["a1", "b1"]);
  });

  test("a group with a message in flight is locked", async () => {
    const { sqs, client } = await withQueues({ "work.fifo": { FifoQueue: true } });
    await send(sqs, client, "a", "a1");
    await send(sqs, client, "a", "a2");
    const [first] = await receive(sqs, client, "work.fifo");
    expect(await receive(sqs, client, "work.fifo")).toEqual([]);
    await client.send(
      new DeleteMessageCommand({ QueueUrl: sqs.queueUrl("work.fifo"), ReceiptHandle: first?.ReceiptHandle }),
    );
    expect((await receive(sqs, client, "work.fifo")).map(({ Body }) => Body)).toEqual(["a2"]);
  });

  test("a deduplication id counts per queue, or per group where the scope says so", async () => {
    const { sqs, client } = await withQueues({ "work.fifo": { FifoQueue: true } });
    for (const group of ["a", "a", "b"]) await send(sqs, client, group, "same");
    expect((await sqs.inspect("work.fifo")).visible).toBe(1);

    const scoped = await withQueues({
      "work.fifo": { FifoQueue: true, DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" },
    });
    for (const group of ["a", "a", "b"]) await send(scoped.sqs, scoped.client, group, "same");
    expect((await scoped.sqs.inspect("work.fifo")).visible).toBe(2);
    const messages = await receive(scoped.sqs, scoped.client, "work.fifo");
    expect(messages.map(({ Attributes }) => Attributes?.MessageDeduplicationId)).toEqual(["same", "same"]);
  });

  test("content is the deduplication id where none is given, per group too", async () => {
    const { sqs, client } = await withQueues({
      "work.fifo": { FifoQueue: true, ContentBasedDeduplication: true, DeduplicationScope: "messageGroup" },
    });
    for (const MessageGroupId of ["a", "a", "b"]) {
      await client.send(
        new SendMessageCommand({ QueueUrl: sqs.queueUrl("work.fifo"), MessageBody: "same", MessageGroupId }),
      );
    }
    expect((await sqs.inspect("work.fifo")).visible).toBe(2);
  });
});

test("a message older than the retention period is never received", async () => {
  let aheadMs = 0;
  const { sqs, client } = await withQueues({ work: { MessageRetentionPeriod: 60 } }, () => Date.now() + aheadMs);
  const QueueUrl = sqs.queueUrl("work");
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "old" }));
  aheadMs = 61_000;
  expect(await receive(sqs, client, "work")).toEqual([]);
  expect(await sqs.inspect("work")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

describe("when the station's clock is moved", () => {
  test("delays, visibility, and the five minutes of deduplication follow it", async () => {
    const clock = installClock(createClockBuffer());
    cleanups.push(async () => uninstallClock());
    const { sqs, client } = await withQueues({ work: { VisibilityTimeout: 600 }, "work.fifo": { FifoQueue: true } });
    const QueueUrl = sqs.queueUrl("work");
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "later", DelaySeconds: 900 }));
    clock.advance(899_000);
    expect(await receive(sqs, client, "work")).toHaveLength(0);
    clock.advance(1000);
    expect(await receive(sqs, client, "work")).toHaveLength(1);
    clock.advance(600_000);
    expect((await receive(sqs, client, "work"))[0]?.Attributes?.ApproximateReceiveCount).toBe("2");

    const once = { MessageBody: "x", MessageGroupId: "g", MessageDeduplicationId: "d" };
    const sendOnce = () => client.send(new SendMessageCommand({ QueueUrl: sqs.queueUrl("work.fifo"), ...once }));
    await sendOnce();
    clock.advance(299_000);
    await sendOnce();
    expect((await sqs.inspect("work.fifo")).visible).toBe(1);
    clock.advance(2000);
    await sendOnce();
    expect((await sqs.inspect("work.fifo")).visible).toBe(2);
  });
});

test("the sent timestamp is only there when it was asked for", async () => {
  const { sqs, client } = await withQueues({ work: { VisibilityTimeout: 0 } });
  const QueueUrl = sqs.queueUrl("work");
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
  expect((await client.send(new ReceiveMessageCommand({ QueueUrl }))).Messages?.[0]?.Attributes).toBeUndefined();
  expect((await receive(sqs, client, "work"))[0]?.Attributes?.SentTimestamp).toMatch(/^\d{13}$/);
});

test("queue URLs are below the endpoint, so a client of any kind reaches them", async () => {
  const { sqs, client } = await withQueues({ work: {} });
  const expected = `${sqs.url}/000000000000/work`;
  expect(sqs.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect((await client.send(new GetQueueUrlCommand({ QueueName: "work" }))).QueueUrl).toBe(expected);
  expect((await client.send(new ListQueuesCommand({}))).QueueUrls).toEqual([expected]);
});

test("a long poll answers at once when a message arrives", async () => {
  const { sqs, client } = await withQueues({ work: { ReceiveMessageWaitTimeSeconds: 20 } });
  const polled = receive(sqs, client, "work");
  await client.send(new SendMessageCommand({ QueueUrl: sqs.queueUrl("work"), MessageBody: "x" }));
  expect(await polled).toHaveLength(1);
});

test("a queue property outside AWS's range stops the start with the queue's name", async () => {
  await expect(withQueues({ work: { VisibilityTimeout: 50_000 } })).rejects.toThrow(/queue work .*VisibilityTimeout/);
});

test("numbers and policies of a template may be strings, and an unknown property is refused", () => {
  const parsed = queueKind.properties.parse({
    VisibilityTimeout: "45",
    FifoQueue: "true",
    RedrivePolicy: '{"deadLetterTargetArn":"arn","maxReceiveCount":"3"}',
  });
  expect(parsed).toEqual({
    VisibilityTimeout: 45,
    FifoQueue: true,
    RedrivePolicy: { deadLetterTargetArn: "arn", maxReceiveCount: 3 },
  });
  expect(queueKind.properties.safeParse({ Policy: {} }).success).toBe(false);
  expect(queueKind.properties.safeParse({ RedrivePolicy: "{" }).success).toBe(false);
});
