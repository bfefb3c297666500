import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { type QueueName, queues } from "../../registry/queues.ts";
import type { ChaosStation } from "./chaos-station.ts";

/** A dead letter as the sweep found it. */
export interface FoundLetter {
  queue: QueueName;
  body: string;
  /** The error's name where the worker dead-lettered it itself; empty after SQS's own redrive. */
  errorName: string;
  reason: string;
}

const names = Object.keys(queues).filter((name): name is QueueName => Object.hasOwn(queues, name));

/** Takes every dead letter off its queue; those that can be done after all go back to where they came from. */
export async function redriveOnce(station: ChaosStation): Promise<{ redriven: number; kept: FoundLetter[] }> {
  let redriven = 0;
  const kept: FoundLetter[] = [];
  for (const queue of names) {
    for (const { letter, message } of await take(station, queue)) {
      // What can never succeed stays dead.
      if (letter.errorName === "InvalidInput") {
        kept.push(letter);
        continue;
      }
      await sendBack(station, queue, message);
      redriven += 1;
    }
  }
  return { redriven, kept };
}

/** Takes what is dead and leaves nothing. */
export async function takeDeadLetters(station: ChaosStation): Promise<FoundLetter[]> {
  const found = await Promise.all(names.map((queue) => take(station, queue)));
  return found.flat().map(({ letter }) => letter);
}

async function take(
  { sqs, deadLetterUrl }: ChaosStation,
  queue: QueueName,
): Promise<{ letter: FoundLetter; message: Message }[]> {
  const QueueUrl = deadLetterUrl(queue);
  const found: { letter: FoundLetter; message: Message }[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["All"],
      }),
    );
    if (Messages.length === 0) return found;
    for (const message of Messages) {
      const { Body: body = "", ReceiptHandle, MessageAttributes: told = {} } = message;
      const errorName = told.errorName?.StringValue ?? "";
      found.push({ letter: { queue, body, errorName, reason: told.reason?.StringValue ?? "" }, message });
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
}

async function sendBack({ sqs, queueUrl }: ChaosStation, queue: QueueName, message: Message): Promise<void> {
  const group = message.Attributes?.MessageGroupId;
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: queueUrl(queue),
      MessageBody: message.Body,
      ...(queues[queue].fifo ? { MessageGroupId: group, MessageDeduplicationId: `redrive-${message.MessageId}` } : {}),
    }),
  );
}
