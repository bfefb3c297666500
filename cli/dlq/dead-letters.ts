import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
} from "@aws-sdk/client-sqs";
import { z } from "zod";
import { fingerprint } from "../../lambdas/core/failure.ts";
import { type FailureRecord, readFailure } from "../../lambdas/runtime/queue-records.ts";
import { type QueueName, queues as records } from "../../registry/queues.ts";
import { concurrently } from "../concurrently.ts";
import type { Target } from "../target.ts";

/** A message that waits for a person, joined with what is known of its end. */
export interface DeadLetter {
  queue: QueueName;
  /** The envelope's id; SQS's own where the message is no envelope. */
  id: string;
  messageId: string;
  receiptHandle: string;
  /** Of a FIFO queue. */
  groupId: string | undefined;
  body: string;
  envelope: LooseEnvelope | undefined;
  errorName: string;
  reason: string;
  stack: string | null;
  fingerprint: string;
  attempts: number;
  /** ISO times; the last is null where nobody was left to take note. */
  firstSeenAt: string;
  lastFailedAt: string | null;
}

/** An envelope as far as it is one: what died may well break its contract. */
const looseEnvelope = z.looseObject({
  id: z.string(),
  type: z.string().catch(""),
  correlationId: z.string().catch(""),
  businessKey: z.string().catch(""),
  firstSeenAt: z.string().catch(""),
  payload: z.unknown(),
});
export type LooseEnvelope = z.infer<typeof looseEnvelope>;

/** What was looked at, hidden from others meanwhile. */
export interface Look {
  letters: DeadLetter[];
  /** Queues with more dead letters than were looked at, by amount. */
  unseen: Partial<Record<QueueName, number>>;
  /** Deletes a dead letter; it was there to be looked at, so it is not given back. */
  remove(letter: DeadLetter): Promise<void>;
}

interface LookOptions {
  queues: readonly QueueName[];
  /** The most messages to look at, per queue. */
  limit: number;
  /** How long they may be hidden: longer than what is done with them takes. */
  hiddenSeconds: number;
}

/** Takes dead letters out to look at, and makes those that are still there visible again, however `use` ends. */
export async function withDeadLetters<T>(
  target: Target,
  { queues, limit, hiddenSeconds }: LookOptions,
  use: (look: Look) => Promise<T>,
): Promise<T> {
  const removed = new Set<DeadLetter>();
  const looks = await Promise.all(
    queues.map(async (queue) => {
      const url = await target.deadLetterUrl(queue);
      const { messages, total } = await receiveAll(target, url, { limit, hiddenSeconds });
      return { queue, url, messages, more: total - messages.length };
    }),
  );
  try {
    const letters = await concurrently(
      looks.flatMap(({ queue, messages }) => messages.map((message) => ({ queue, message }))),
      20,
      ({ queue, message }) => joined(target, queue, message),
    );
    return await use({
      letters,
      unseen: Object.fromEntries(looks.filter(({ more }) => more > 0).map(({ queue, more }) => [queue, more])),
      async remove(letter) {
        await target.sqs.send(
          new DeleteMessageCommand({
            QueueUrl: await target.deadLetterUrl(letter.queue),
            ReceiptHandle: letter.receiptHandle,
          }),
        );
        removed.add(letter);
      },
    });
  } finally {
    const gone = new Set([...removed].map(({ messageId }) => messageId));
    for (const { url, messages } of looks)
      await giveBack(
        target,
        url,
        messages.filter(({ MessageId = "" }) => !gone.has(MessageId)),
      );
  }
}

async function receiveAll(
  { sqs }: Target,
  QueueUrl: string,
  { limit, hiddenSeconds }: { limit: number; hiddenSeconds: number },
): Promise<{ messages: Message[]; total: number }> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    }),
  );
  const total =
    Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesNotVisible);
  const found = new Map<string, Message>();
  while (found.size < limit) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(10, limit - found.size),
        VisibilityTimeout: hiddenSeconds,
        // Without waiting SQS asks only some of its servers, and an empty answer says nothing.
        WaitTimeSeconds: 1,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["All"],
      }),
    );
    if (Messages.length === 0) break;
    for (const message of Messages) found.set(message.MessageId ?? "", message);
  }
  return { messages: [...found.values()], total };
}

async function giveBack({ sqs }: Target, QueueUrl: string, messages: Message[]): Promise<void> {
  for (let start = 0; start < messages.length; start += 10)
    await sqs.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl,
        Entries: messages
          .slice(start, start + 10)
          .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle, VisibilityTimeout: 0 })),
      }),
    );
}

async function joined(target: Target, queue: QueueName, message: Message): Promise<DeadLetter> {
  const { MessageId: messageId = "", Body: body = "", Attributes = {}, ReceiptHandle = "" } = message;
  const { data: envelope } = looseEnvelope.safeParse(parseJson(body));
  const sentAt = new Date(Number(Attributes.SentTimestamp)).toISOString();
  const end =
    endByWorker(message, sentAt) ??
    endByRecord(queue, envelope && (await readFailure(target.table, queue, envelope.id))) ??
    functionDied(queue, "");
  return {
    queue,
    id: envelope?.id ?? messageId,
    messageId,
    receiptHandle: ReceiptHandle,
    groupId: Attributes.MessageGroupId,
    body,
    envelope,
    firstSeenAt: envelope?.firstSeenAt || sentAt,
    ...end,
  };
}

type End = Pick<DeadLetter, "errorName" | "reason" | "stack" | "fingerprint" | "attempts" | "lastFailedAt">;

/** The worker itself put it there, with the reason beside it. */
function endByWorker({ MessageAttributes = {} }: Message, sentAt: string): End | undefined {
  const { reason, errorName, fingerprint: print, attempts } = MessageAttributes;
  if (!print?.StringValue) return undefined;
  return {
    errorName: errorName?.StringValue ?? "",
    reason: reason?.StringValue ?? "",
    stack: null,
    fingerprint: print.StringValue,
    attempts: Number(attempts?.StringValue),
    lastFailedAt: sentAt,
  };
}

/** SQS put it there after its last attempt; why that one failed is in its record. */
function endByRecord(queue: QueueName, record: FailureRecord | undefined): End | undefined {
  if (!record) return undefined;
  const { errorName, errorMessage, stack = null, attempts, failedAt } = record;
  if (record.redrivenAt)
    return functionDied(queue, ` Before it was redriven at ${record.redrivenAt} it failed with ${errorName}.`);
  return {
    errorName,
    reason: errorMessage,
    stack,
    fingerprint: record.fingerprint,
    // Attempts after the recorded one died with their function.
    attempts: Math.max(attempts, records[queue].maxReceiveCount),
    lastFailedAt: failedAt,
  };
}

function functionDied(queue: QueueName, more: string): End {
  const error = new Error("The function died or was stopped (memory, timeout) before it could say why: see its log.");
  error.name = "FunctionDied";
  return {
    errorName: error.name,
    reason: error.message + more,
    stack: null,
    fingerprint: fingerprint(error),
    // As often as SQS hands a message out before it gives up.
    attempts: records[queue].maxReceiveCount,
    lastFailedAt: null,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
