import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { entriesOf } from "../../lambdas/core/record.ts";
import { health } from "../../lambdas/routes/health.ts";
import { processQueues } from "../../lambdas/routes/process-queues.ts";
import { createQueueInspector, type QueueState } from "../../lambdas/runtime/queue-inspector.ts";
import type { StateTable } from "../../lambdas/runtime/state-table.ts";
import { type Sqs, startSqs } from "../../local/aws/sqs.ts";
import { queues } from "../../registry/queues.ts";
import { brokenTable } from "./state.ts";

let sqs: Sqs;
let client: SQSClient;
beforeAll(async () => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  const names = ["subscription", "subscription-dlq"];
  sqs = await startSqs({ queues: names.map((name) => ({ name, properties: {} })), now: Date.now });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  client = new SQSClient({ endpoint: sqs.url, region: "us-east-1", credentials });
});
afterAll(async () => {
  client.destroy();
  await sqs.close();
});

const unused = () => Promise.reject(new Error("not expected to be called"));
const emptyTable: StateTable = {
  get: async () => undefined,
  put: unused,
  create: unused,
  update: unused,
  remove: unused,
};

test("a dead letter that somebody is looking at still counts", async () => {
  const inspector = createQueueInspector(
    {
      urlOf: (queue) => sqs.queueUrl(queue),
      deadLetterUrlOf: (queue) => sqs.queueUrl(`${queue}-dlq`),
      table: emptyTable,
    },
    client,
  );
  const QueueUrl = sqs.queueUrl("subscription-dlq");
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
  await client.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 60 }));
  expect(await inspector.inspect("subscription")).toMatchObject({ queue_length: 0, dead_letters: 2 });
});

describe("a queue whose numbers cannot be read", () => {
  // All queues of the registry look at one that is there and empty, except pulse.
  const inspectorWith = ({ live = "subscription", dead = "subscription-dlq", table = emptyTable, of = client } = {}) =>
    createQueueInspector(
      {
        urlOf: (queue) =>
          sqs.queueUrl("subscription").replace(/subscription$/, queue === "pulse" ? live : "subscription"),
        deadLetterUrlOf: (queue) =>
          sqs.queueUrl("subscription-dlq").replace(/subscription-dlq$/, queue === "pulse" ? dead : "subscription-dlq"),
        table,
      },
      of,
    );
  const request = {
    method: "GET" as const,
    path: "/health",
    headers: {},
    query: new URLSearchParams(),
    body: Buffer.alloc(0),
    sourceIp: "192.0.2.1",
    correlationId: "c",
  };
  const shownBy = async (inspector: ReturnType<typeof createQueueInspector>) => {
    const answer = await health({ providersDown: async () => [], inspector })(request, { identity: "internal" });
    const { status, queues: shown } = JSON.parse(String(answer.body)) as { status: string; queues: QueueState[] };
    return { status, pulse: shown.find(({ queue }) => queue === "pulse"), all: shown };
  };
  const unread = { queue_length: null, in_flight: null, delayed: null };

  beforeAll(() => sqs.call("PurgeQueue", { QueueUrl: sqs.queueUrl("subscription-dlq") }));

  test("is shown without a number, and the station as degraded", async () => {
    expect((await shownBy(inspectorWith())).status).toBe("ok");
    const { status, pulse, all } = await shownBy(inspectorWith({ live: "gone" }));
    expect(pulse).toMatchObject({ ...unread, dead_letters: 0, error_streak: 0 });
    expect(status).toBe("degraded");
    expect(all).toHaveLength(entriesOf(queues).length);
  });

  test("has no dead letters for all we know, which is not none", async () => {
    const { status, pulse } = await shownBy(inspectorWith({ dead: "gone" }));
    expect(pulse).toMatchObject({ queue_length: 0, dead_letters: null });
    expect(status).toBe("degraded");
  });

  test("may lack only its record", async () => {
    const { status, pulse } = await shownBy(inspectorWith({ table: brokenTable }));
    expect(pulse).toMatchObject({ queue_length: 0, dead_letters: 0, error_streak: null });
    expect(status).toBe("degraded");
  });

  test("is not empty because SQS answers without them", async () => {
    const silent = new SQSClient({
      endpoint: sqs.url,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    silent.middlewareStack.add((next) => async (args) => ({ ...(await next(args)), output: { $metadata: {} } }), {
      step: "initialize",
    });
    const { status, pulse } = await shownBy(inspectorWith({ of: silent }));
    silent.destroy();
    expect(pulse).toMatchObject({ ...unread, dead_letters: null });
    expect(status).toBe("degraded");
  });

  test("is no success of process-queues, and is requeued nevertheless", async () => {
    const requeued: string[] = [];
    const requeue = { pulse: async (correlationId: string) => requeued.push(correlationId) };
    const answer = await processQueues({ inspector: inspectorWith({ live: "gone" }), requeue })(request, {
      identity: "internal",
    });
    const { summary } = JSON.parse(String(answer.body)) as { summary: { results: { queue: string }[] } };
    expect(summary.results.find(({ queue }) => queue === "pulse")).toEqual({
      queue: "pulse",
      success: false,
      queueLength: null,
      error: "the queue's length could not be read",
      processed: 1,
    });
    expect(requeued).toEqual(["c"]);
  });
});
