import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSHandler, SQSRecord } from "aws-lambda";
import { type QueueName, type QueueRecord, queues } from "../../registry/queues.ts";
import { backoffSeconds, deferralSeconds, longestDelaySeconds } from "../core/backoff.ts";
import { fingerprint } from "../core/failure.ts";
import { type Envelope, envelopeOf, type Payload } from "../core/messages.ts";
import { Deferred, InvalidInput, type Outcome, PermanentFailure, type Settled } from "../core/outcome.ts";
import { ProviderUnavailable } from "../core/provider-failure.ts";
import { backoffBaseSeconds, deadLetterUrl, queueUrl, secretsExpiry } from "./configuration.ts";
import { createHolds } from "./holds.ts";
import { lazy } from "./lazy.ts";
import { describeError, log, withLogScope } from "./logger.ts";
import { count } from "./metrics.ts";
import { patience } from "./patience.ts";
import { recordBatch, recordFailure } from "./queue-records.ts";
import type { StateTable } from "./state-table.ts";

const dayMs = 86_400_000;
/** SQS keeps a message 14 days, but one that is sent again begins anew: nothing may circulate for ever. */
const longestDeferralMs = 7 * dayMs;
/** A message that keeps failing may be why its provider's breaker is open. Resend remembers a mail's key for a day. */
const longestOutageMs = dayMs;
/** Then the messages are sent again once, and so keep clear of the 14 days after which SQS drops them. */
const longestHoldMs = dayMs;
/** A later end than this is worth another write. */
const holdResolutionMs = 60_000;

/** Carries one message out; what it throws decides what happens to the message, see `core/outcome.ts`. */
export type MessageHandler<Q extends QueueName> = (message: Envelope<Payload<Q>>) => Promise<Settled>;

export interface WorkerParts<Q extends QueueName> {
  handle: MessageHandler<Q>;
  table: StateTable;
  now: () => number;
}

/**
 * The Lambda handler of a queue. Each record ends in exactly one outcome, logged as `message.outcome`:
 * invalid → dead-lettered now; failing → backed off and counted by SQS; deferred → later, uncounted. A wait that SQS's
 * longest delay does not cover holds the queue.
 */
export function createWorker<Q extends QueueName>(queue: Q, build: () => Promise<WorkerParts<Q>>): SQSHandler {
  const parts = lazy(build, secretsExpiry);
  const sqs = lazy(async () => new SQSClient(patience));
  const held = { untilMs: 0 };

  return async (event, context) => {
    const { handle, table, now } = await parts().catch((error: unknown) => {
      // Nothing was tried, so all messages come back when their visibility ends.
      log.error("worker.unavailable", error, { queue });
      throw error;
    });
    const outcomes: Outcome[] = [];
    const { deliver, backOff } = deliverOne(queue, { handle, table, now, sqs: await sqs(), held });
    const deliverRecord = async (record: SQSRecord) => {
      const { outcome, isLeft } = await deliver(record);
      outcomes.push(outcome);
      if (isLeft) throw new LeftInQueue(`Message ${record.messageId} is ${outcome} and comes back`);
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

/** How one delivery ended; a message that is left in its queue shows itself again by and by. */
interface Delivery {
  outcome: Outcome;
  isLeft: boolean;
}

/** Tells the batch that a record must not be deleted. */
class LeftInQueue extends Error {
  override name = "LeftInQueue";
}

/** An earlier message of the same FIFO group was left in this batch. */
class GroupHeldUp extends Error {
  override name = "GroupHeldUp";
}

/**
 * Groups side by side, the messages of a group one after the other. What comes after one that is left is backed off
 * with it: hidden for the queue's whole visibility timeout it would hold up its group for that long.
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
        throw new GroupHeldUp(`Message ${record.messageId} waits for an earlier one of group ${group}`);
      },
    );
    lastOfGroup.set(group, delivery);
    return delivery;
  };
}

/** What SQS takes in a message attribute: no control characters, no half surrogate pairs, not empty. */
const attributeText = (text: string): string =>
  text.slice(0, 1024).replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "?") || "-";

/** Until when a message must wait by no fault of its own, and for how long it may do so; undefined for a failure. */
function putOffBy(error: Error): { untilMs: number; longestMs: number } | undefined {
  if (error instanceof Deferred) return { untilMs: error.untilMs, longestMs: longestDeferralMs };
  if (!(error instanceof ProviderUnavailable) || error.restUntilMs === undefined) return undefined;
  return { untilMs: error.restUntilMs, longestMs: longestOutageMs };
}

function deliverOne<Q extends QueueName>(
  queue: Q,
  { handle, table, now, sqs, held }: WorkerParts<Q> & { sqs: SQSClient; held: { untilMs: number } },
) {
  const { fifo, onLongPause = "hold" }: QueueRecord = queues[queue];
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
        ...(fifo ? { MessageGroupId: record.attributes.MessageGroupId, MessageDeduplicationId: record.messageId } : {}),
      }),
    );
  };

  const sendAgain = async (record: SQSRecord, envelope: Envelope, delaySeconds: number): Promise<void> => {
    const deferrals = envelope.deferrals + 1;
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: queueUrl(queue),
        MessageBody: JSON.stringify({ ...envelope, deferrals }),
        ...(fifo
          ? {
              MessageGroupId: record.attributes.MessageGroupId,
              MessageDeduplicationId: `${envelope.id}/${deferrals}`,
            }
          : { DelaySeconds: delaySeconds }),
      }),
    );
  };

  /** Best effort: without it the message comes back when the queue's visibility timeout ends. */
  const hide = async (record: SQSRecord, seconds: number): Promise<void> => {
    const change = new ChangeMessageVisibilityCommand({
      QueueUrl: queueUrl(queue),
      ReceiptHandle: record.receiptHandle,
      VisibilityTimeout: seconds,
    });
    await sqs
      .send(change)
      .catch((error: unknown) => log.warn("message.not-backed-off", { queue, ...describeError(error) }));
  };

  const backOff = (record: SQSRecord): Promise<void> =>
    hide(record, backoffSeconds(attemptOf(record), backoffBaseSeconds(), Math.random()));

  /** Best effort: without the hold the messages circulate until their time is there. */
  const holdQueue = async (wantedMs: number, reason: string): Promise<void> => {
    const isLong = wantedMs - now() > longestDelaySeconds * 1000;
    const untilMs = Math.min(wantedMs, now() + longestHoldMs);
    if (!isLong || onLongPause !== "hold" || untilMs <= held.untilMs + holdResolutionMs) return;
    held.untilMs = untilMs;
    await createHolds({ table, now })
      .place({ queue, untilMs, reason, by: "station" })
      .catch((error: unknown) => log.warn("queue.not-held", { queue, ...describeError(error) }));
  };

  /**
   * A standard queue gets the message anew, with a delay. A FIFO queue takes no delay, so there the message is hidden,
   * which counts; every second time it is sent anew at once, to be hidden at its first attempt.
   */
  const putOff = async (record: SQSRecord, envelope: Envelope, untilMs: number): Promise<Delivery> => {
    const delaySeconds = deferralSeconds(untilMs, now(), Math.random());
    if (fifo && attemptOf(record) === 1) {
      await hide(record, delaySeconds);
      return { outcome: "deferred", isLeft: true };
    }
    await sendAgain(record, envelope, delaySeconds);
    return { outcome: "deferred", isLeft: false };
  };

  const openEnvelope = (record: SQSRecord): Envelope<Payload<Q>> | InvalidInput => {
    const parsed = contract.safeParse(parseJson(record.body));
    if (parsed.success) return parsed.data;
    return new InvalidInput(`Message ${record.messageId} breaks the contract of ${queue}: ${issuesOf(parsed.error)}`);
  };

  /** How a delivery ended by an error that is no failure to be tried again; undefined for one that is. */
  const settle = async (
    record: SQSRecord,
    envelope: Envelope | undefined,
    error: Error,
  ): Promise<Delivery | undefined> => {
    const wait = putOffBy(error);
    if (wait && envelope) {
      const waitsSince = envelope.redrivenAt ?? envelope.firstSeenAt;
      if (now() - Date.parse(waitsSince) <= wait.longestMs) {
        await holdQueue(wait.untilMs, error.message);
        return putOff(record, envelope, wait.untilMs);
      }
      const endless = `It was deferred again and again since ${waitsSince}`;
      await deadLetter(record, new PermanentFailure(endless, { cause: error }));
      return { outcome: "invalid", isLeft: false };
    }
    if (!(error instanceof InvalidInput || error instanceof PermanentFailure)) return undefined;
    await deadLetter(record, error);
    return { outcome: "invalid", isLeft: false };
  };

  const deliver = async (record: SQSRecord): Promise<Delivery> => {
    const opened = openEnvelope(record);
    const envelope = opened instanceof InvalidInput ? undefined : opened;
    const envelopeId = envelope?.id ?? record.messageId;
    const attempt = attemptOf(record);
    const note = (outcome: Outcome, error?: Error): void => {
      const facts = { queue, envelopeId, attempt, outcome };
      if (error && outcome !== "deferred") log.error("message.outcome", error, facts);
      else log.info("message.outcome", { ...facts, ...(error ? describeError(error) : {}) });
    };
    return withLogScope({ correlationId: envelope?.correlationId ?? record.messageId, envelopeId }, async () => {
      try {
        if (opened instanceof InvalidInput) throw opened;
        const outcome = await handle(opened);
        note(outcome);
        return { outcome, isLeft: false };
      } catch (thrown) {
        let error = asError(thrown);
        try {
          const delivery = await settle(record, envelope, error);
          if (delivery) {
            note(delivery.outcome, error);
            return delivery;
          }
        } catch (unsettled) {
          error = new Error("The message could neither be dead-lettered nor sent again", { cause: unsettled });
        }
        note("failing", error);
        if (envelope)
          await recordFailure(table, { queue, envelope, error, attempt, nowMs: now() }).catch((failure: unknown) =>
            log.warn("message.failure-unrecorded", { queue, ...describeError(failure) }),
          );
        await backOff(record);
        return { outcome: "failing", isLeft: true };
      }
    });
  };

  return { deliver, backOff };
}

const attemptOf = (record: SQSRecord): number => Number(record.attributes.ApproximateReceiveCount);

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
