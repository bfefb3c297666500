import { afterEach, expect, test } from "vitest";
import {
  type EventSourceMapping,
  eventSourceMappingKind,
  startEventSourceMapping,
} from "../../local/aws/event-source-mapping.ts";
import { type Sqs, startSqs } from "../../local/aws/sqs.ts";

let sqs: Sqs;
let mapping: EventSourceMapping;
afterEach(async () => {
  await mapping.stop();
  await sqs.close();
});

/** Message ids of each invocation, in order. */
async function deliveriesOf(queue: string, repetition: "never" | "meanwhile" | "afterwards"): Promise<string[][]> {
  const fifo = queue.endsWith(".fifo");
  sqs = await startSqs({ queues: [{ name: queue, properties: fifo ? { FifoQueue: true } : {} }], now: Date.now });
  const invocations: string[][] = [];
  let running = 0;
  let together = 0;
  mapping = await startEventSourceMapping({
    mapping: eventSourceMappingKind.properties.parse({
      EventSourceArn: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
      FunctionName: "worker",
    }),
    functionArn: "worker",
    sqs,
    now: Date.now,
    repetitionOf: () => repetition,
    invoke: async (_, payload) => {
      running += 1;
      together = Math.max(together, running);
      invocations.push((payload as { Records: { messageId: string }[] }).Records.map(({ messageId }) => messageId));
      await new Promise(setImmediate);
      running -= 1;
      return { ok: true, payload: null };
    },
  });
  await sqs.call("SendMessage", {
    QueueUrl: sqs.queueUrl(queue),
    MessageBody: "{}",
    ...(fifo ? { MessageGroupId: "g", MessageDeduplicationId: "d" } : {}),
  });
  await expect.poll(() => invocations.length).toBe(repetition === "never" ? 1 : 2);
  await expect.poll(() => sqs.inspect(queue)).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  expect(together).toBe(repetition === "meanwhile" && !fifo ? 2 : 1);
  return invocations;
}

test.each([
  ["plain", "meanwhile"],
  ["plain", "afterwards"],
  ["ordered.fifo", "meanwhile"],
  ["ordered.fifo", "afterwards"],
] as const)("a message of queue %s is delivered again, %s, under its id", async (queue, repetition) => {
  const [first, second] = await deliveriesOf(queue, repetition);
  expect(second).toEqual(first);
});

test("without a wish for it a message is delivered once", async () => {
  expect(await deliveriesOf("plain", "never")).toHaveLength(1);
});
