import {
  BatchProcessor,
  EventType,
  processPartialResponse,
  SqsFifoPartialProcessorAsync,
} from "@aws-lambda-powertools/batch";
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSHandler, SQSRecord } from "aws-lambda";
import { type QueueName, queues } from "../../registry/queues.ts";
import { backoffSeconds, deferralSeconds } from "../core/backoff.ts";
import { fingerprint } from "../core/failure.ts";
import { type Envelope, envelopeOf, type Payload } from "../core/messages.ts";
import { Deferred, InvalidInput, type Outcome, PermanentFailure, type Settled } from "../core/outcome.ts";
import { backoffBaseSeconds, deadLetterUrl, queueUrl } from "./configuration.ts";
import { lazy } from "./lazy.ts";
import { describeError, log, withLogScope } from "./logger.ts";
import { count } from "./metrics.ts";
import { recordBatch, recordFailure } from "./queue-records.ts";
import type { StateTable } from "./state-table.ts";

/** Carries one message out; what it throws decides what happens to the message, see `core/outcome.ts`. */
export type MessageHandler<Q extends QueueName> = (message: Envelope<Payload<Q>>) => Promise<Settled>;

export interface WorkerParts<Q extends QueueName> {
  handle: MessageHandler<Q>;
  table: StateTable;
  now: () => number;
}

/**
 * The Lambda handler of a queue. Each record ends in exactly one outcome, logged as `message.outcome`:
 * invalid → dead-lettered now; failing → backed off and counted by SQS; deferred → sent again with a delay, uncounted.
 */
export function createWorker<Q extends QueueName>(queue: Q, build: () => Promise<WorkerParts<Q>>): SQSHandler {
  const parts = lazy(build);
  const sqs = lazy(async () => new SQSClient());
  const { fifo } = queues[queue];

  return async (event, context) => {
    const { handle, table, now } = await parts();
    const outcomes: Outcome[] = [];
    const deliver = deliverOne(queue, { handle, table, now, sqs: await sqs() });
    const deliverRecord = async (record: SQSRecord) => {
      const { outcome, error } = await deliver(record);
      outcomes.push(outcome);
      if (outcome === "failing") throw error;
    };
    const options = { context, throwOnFullBatchFailure: false };
    const response = fifo
      ? await processPartialResponse(event, deliverRecord, new SqsFifoPartialProcessorAsync(), {
          ...options,
          // One failing contact must not hold up the others of the batch.
          skipGroupOnError: true,
        })
      : await processPartialResponse(event, deliverRecord, new BatchProcessor(EventType.SQS), options);
    await recordBatch(table, queue, outcomes, now());
    for (const outcome of new Set(outcomes))
      count(`message-${outcome}`, outcomes.filter((each) => each === outcome).length, { queue });
    return response;
  };
}

interface Delivery {
  outcome: Outcome;
  error?: Error;
}

function deliverOne<Q extends QueueName>(queue: Q, { handle, table, now, sqs }: WorkerParts<Q> & { sqs: SQSClient }) {
  const contract = envelopeOf(queue);

  const deadLetter = async (record: SQSRecord, error: Error): Promise<void> => {
    const text = (value: string) => ({ DataType: "String", StringValue: value.slice(0, 1024) });
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: deadLetterUrl(queue),
        MessageBody: record.body,
        MessageAttributes: {
          reason: text(describeError(error).errorMessage),
          errorName: text(error.name),
          fingerprint: text(fingerprint(error)),
          attempts: text(record.attributes.ApproximateReceiveCount),
        },
        ...(queues[queue].fifo
          ? { MessageGroupId: record.attributes.MessageGroupId, MessageDeduplicationId: record.messageId }
          : {}),
      }),
    );
  };

  const sendAgain = async (envelope: Envelope, untilMs: number): Promise<void> => {
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: queueUrl(queue),
        MessageBody: JSON.stringify({ ...envelope, deferrals: envelope.deferrals + 1 }),
        DelaySeconds: deferralSeconds(untilMs, now()),
      }),
    );
  };

  const backOff = async (record: SQSRecord): Promise<void> => {
    const attempt = Number(record.attributes.ApproximateReceiveCount);
    await sqs.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: queueUrl(queue),
        ReceiptHandle: record.receiptHandle,
        VisibilityTimeout: backoffSeconds(attempt, backoffBaseSeconds(), Math.random()),
      }),
    );
  };

  return async (record: SQSRecord): Promise<Delivery> => {
    const parsed = contract.safeParse(parseJson(record.body));
    if (!parsed.success) {
      const error = new InvalidInput(
        `Message ${record.messageId} breaks the contract of ${queue}: ${issuesOf(parsed.error)}`,
      );
      await deadLetter(record, error);
      log.error("message.outcome", error, { queue, envelopeId: record.messageId, outcome: "invalid" });
      return { outcome: "invalid" };
    }
    const envelope = parsed.data;
    const facts = { queue, envelopeId: envelope.id, attempt: Number(record.attributes.ApproximateReceiveCount) };
    return withLogScope({ correlationId: envelope.correlationId, envelopeId: envelope.id }, async () => {
      try {
        const outcome = await handle(envelope);
        log.info("message.outcome", { ...facts, outcome });
        return { outcome };
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (error instanceof InvalidInput || error instanceof PermanentFailure) {
          await deadLetter(record, error);
          log.error("message.outcome", error, { ...facts, outcome: "invalid" });
          return { outcome: "invalid" };
        }
        // A FIFO queue takes no delay per message: there a wait is an attempt like any other.
        if (error instanceof Deferred && !queues[queue].fifo) {
          await sendAgain(envelope, error.untilMs);
          log.info("message.outcome", { ...facts, outcome: "deferred", ...describeError(error) });
          return { outcome: "deferred" };
        }
        await recordFailure(table, { queue, envelope, error, attempt: facts.attempt, nowMs: now() });
        await backOff(record);
        log.error("message.outcome", error, { ...facts, outcome: "failing" });
        return { outcome: "failing", error };
      }
    });
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function issuesOf(error: { issues: { path: PropertyKey[]; message: string }[] }): string {
  return error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; ");
}
