import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createQueueInspector } from "../../lambdas/runtime/queue-inspector.ts";
import { type Sqs, startSqs } from "../../local/aws/sqs.ts";

let sqs: Sqs;
let client: SQSClient;
beforeAll(async () => {
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

test("a dead letter that somebody is looking at still counts", async () => {
  const inspector = createQueueInspector(
    {
      urlOf: (queue) => sqs.queueUrl(queue),
      deadLetterUrlOf: (queue) => sqs.queueUrl(`${queue}-dlq`),
      table: { get: async () => undefined, put: unused, create: unused, update: unused, remove: unused },
    },
    client,
  );
  const QueueUrl = sqs.queueUrl("subscription-dlq");
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
  await client.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 60 }));
  expect(await inspector.inspect("subscription")).toMatchObject({ queue_length: 0, dead_letters: 2 });
});
