import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSHandler, SQSRecord } from "aws-lambda";
import { type QueueName, queues } from "../../registry/queues.ts";
import { backoffSeconds, deferralSeconds } from "../core/backoff.ts";
import { fingerprint } from "../core/failure.ts";
import { type Envelope, envelopeOf, type Payload } from "../core/messages.ts";
import { Deferred, InvalidInput, type Outcome, PermanentFailure, type Settled } from "../core/outcome.ts";
import { backoffBaseSeconds, deadLetterUrl, queueUrl, secretsExpiry } from "./configuration.ts";
import { lazy } from "./lazy.ts";
import { describeError, log, withLogScope } from "./logger.ts";
import { count } from "./metrics.ts";
import { recordBatch, recordFailure } from "./queue-records.ts";
import type { StateTable } from "./state-table.ts";

/** SQS keeps a message 14 days, but one that is sent again begins anew: nothing may circulate for ever. */
const longestDeferralMs = 7 * 86_400_000;

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
  const parts = lazy(build, secretsExpiry);
  const sqs = lazy(async () => new SQSClient());

  return async (event, context) => {
    const { handle, table, now } = await parts().catch((error: unknown) => {
      // Nothing was tried, so all messages come back when their visibility ends.
      log.error("worker.unavailable", error, { queue });
      throw error;
    });
    const outcomes: Outcome[] = [];
    const { deliver, backOff } = deliverOne(queue, { handle, table, now, sqs: await sqs() });
    const deliverRecord = async (record: SQSRecord) => {
      try {
        outcomes.push(await deliver(record));
      } catch (error) {
        outcomes.push("failing");
        throw error;
      }
    };
    const response = await processPartialResponse(
      event,
      queues[queue].fifo ? inTurn(deliverRecord, backOff) : deliverRecord,
      new BatchProcessor(EventType.SQS),
      { context, throwOnFullBatchFailure: false },
    );
    // A failure to take notes must not bring back messages that are done.
    await recordBatch(table, queue, outcomes, now()).catch((error: unknown) =>
      log.warn("queue.record-failed", { queue, ...describeError(error) }),
    );
    for (const outcome of new Set(outcomes))
      count(`message-${outcome}`, outcomes.filter((each) => each === outcome).length, { queue });
    return response;
  };
}

/** An earlier message of the same FIFO group failed in this batch. */
class GroupHeldUp extends Error {
  override name = "GroupHeldUp";
}

/**
 * Groups side by side, the messages of a group one after the other. What comes after a failed one is backed off with
 * it: hidden for the queue's whole visibility timeout it would hold up its group for that long.
 */
function inTurn(deliver: (record: SQSRecord) => Promise<void>, backOff: (record: SQSRecord) => Promise<void>) {
  const lastOfGroup = new Map<string, Promise<void>>();
  return (record: SQSRecord): Promise<void> => {
    const group = record.attributes.MessageGroupId ?? "";
    const before = lastOfGroup.get(group) ?? Promise.resolve();
    const delivery = before.then(
      () => deliver(record),
      async () => {
        await backOff(record);
        throw new GroupHeldUp(`Message ${record.messageId} waits for an earlier one of group ${group} that failed`);
      },
    );
    lastOfGroup.set(group, delivery);
    return delivery;
  };
}

/** What SQS takes in a message attribute: no control characters, no half surrogate pairs, not empty. */
const attributeText = (text: string): string =>
  text.slice(0, 1024).replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "?") || "-";

function deliverOne<Q extends QueueName>(queue: Q, { handle, table, now, sqs }: WorkerParts<Q> & { sqs: SQSClient }) {
  const contract = envelopeOf(queue);

  const deadLetter = async (record: SQSRecord, error: Error): Promise<void> => {
    const text = (value: string) => ({ DataType: "String", StringValue: attributeText(value) });
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

  /** Best effort: without it the message comes back when the queue's visibility timeout ends. */
  const backOff = async (record: SQSRecord): Promise<void> => {
    const attempt = Number(record.attributes.ApproximateReceiveCount);
    const change = new ChangeMessageVisibilityCommand({
      QueueUrl: queueUrl(queue),
      ReceiptHandle: record.receiptHandle,
      VisibilityTimeout: backoffSeconds(attempt, backoffBaseSeconds(), Math.random()),
    });
    await sqs
      .send(change)
      .catch((error: unknown) => log.warn("message.not-backed-off", { queue, ...describeError(error) }));
  };

  const openEnvelope = (record: SQSRecord): Envelope<Payload<Q>> | InvalidInput => {
    const parsed = contract.safeParse(parseJson(record.body));
    if (parsed.success) return parsed.data;
    return new InvalidInput(`Message ${record.messageId} breaks the contract of ${queue}: ${issuesOf(parsed.error)}`);
  };

  /** The outcome of an error that is no failure to be tried again; undefined for one that is. */
  const settle = async (record: SQSRecord, envelope: Envelope | undefined, error: Error) => {
    // A FIFO queue takes no delay per message: there a wait is an attempt like any other.
    if (error instanceof Deferred && envelope && !queues[queue].fifo) {
      const waitsSince = envelope.firstSeenAt;
      if (now() - Date.parse(waitsSince) <= longestDeferralMs) {
        await sendAgain(envelope, error.untilMs);
        return "deferred";
      }
      await deadLetter(
        record,
        new PermanentFailure(`It was deferred again and again since ${waitsSince}`, { cause: error }),
      );
      return "invalid";
    }
    if (!(error instanceof InvalidInput || error instanceof PermanentFailure)) return undefined;
    await deadLetter(record, error);
    return "invalid";
  };

  const deliver = async (record: SQSRecord): Promise<Outcome> => {
    const opened = openEnvelope(record);
    const envelope = opened instanceof InvalidInput ? undefined : opened;
    const envelopeId = envelope?.id ?? record.messageId;
    const attempt = Number(record.attributes.ApproximateReceiveCount);
    const note = (outcome: Outcome, error?: Error): Outcome => {
      const facts = { queue, envelopeId, attempt, outcome };
      if (error && outcome !== "deferred") log.error("message.outcome", error, facts);
      else log.info("message.outcome", { ...facts, ...(error ? describeError(error) : {}) });
      return outcome;
    };
    return withLogScope({ correlationId: envelope?.correlationId ?? record.messageId, envelopeId }, async () => {
      try {
        if (opened instanceof InvalidInput) throw opened;
        return note(await handle(opened));
      } catch (thrown) {
        let error = asError(thrown);
        try {
          const outcome = await settle(record, envelope, error);
          if (outcome) return note(outcome, error);
        } catch (unsettled) {
          error = new Error("The message could neither be dead-lettered nor sent again", { cause: unsettled });
        }
        note("failing", error);
        if (envelope)
          await recordFailure(table, { queue, envelope, error, attempt, nowMs: now() }).catch((failure: unknown) =>
            log.warn("message.failure-unrecorded", { queue, ...describeError(failure) }),
          );
        await backOff(record);
        throw error;
      }
    });
  };

  return { deliver, backOff };
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

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
