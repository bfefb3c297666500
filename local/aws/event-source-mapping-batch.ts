import type { SQSRecord } from "aws-lambda";
import { z } from "zod";
import type { InvokeOutcome } from "./lambda/invoke.ts";

/** Lambda's limit on the payload of a synchronous invocation, which a batch has to stay within. */
export const maximumPayloadBytes = 6 * 1024 * 1024;

const attribute = z.object({
  DataType: z.string(),
  StringValue: z.string().optional(),
  BinaryValue: z.string().optional(),
});

const attributes = z.object({
  ApproximateReceiveCount: z.string(),
  SentTimestamp: z.string(),
  SenderId: z.string(),
  ApproximateFirstReceiveTimestamp: z.string(),
  SequenceNumber: z.string().optional(),
  MessageGroupId: z.string().optional(),
  MessageDeduplicationId: z.string().optional(),
});

const message = z.object({
  MessageId: z.string(),
  ReceiptHandle: z.string(),
  Body: z.string(),
  MD5OfBody: z.string(),
  MD5OfMessageAttributes: z.string().optional(),
  Attributes: attributes,
  MessageAttributes: z.record(z.string(), attribute).optional(),
});

const receiveAnswer = z.object({ Messages: z.array(message).optional() });

/** The records of a Lambda event made of what ReceiveMessage answered. */
export function toRecords(answer: unknown, queueArn: string): SQSRecord[] {
  const { Messages = [] } = receiveAnswer.parse(answer);
  return Messages.map((received) => ({
    messageId: received.MessageId,
    receiptHandle: received.ReceiptHandle,
    body: received.Body,
    attributes: received.Attributes,
    messageAttributes: Object.fromEntries(
      Object.entries(received.MessageAttributes ?? {}).map(([name, value]) => [
        name,
        {
          stringValue: value.StringValue,
          binaryValue: value.BinaryValue,
          stringListValues: [],
          binaryListValues: [],
          dataType: value.DataType,
        },
      ]),
    ),
    md5OfBody: received.MD5OfBody,
    ...(received.MD5OfMessageAttributes === undefined
      ? {}
      : { md5OfMessageAttributes: received.MD5OfMessageAttributes }),
    eventSource: "aws:sqs",
    eventSourceARN: queueArn,
    awsRegion: "us-east-1",
  }));
}

/** Cuts records, in order, into events that each fit an invocation. */
export function splitByPayload(records: SQSRecord[], limitBytes = maximumPayloadBytes): SQSRecord[][] {
  const envelopeBytes = Buffer.byteLength('{"Records":[]}');
  const batches: SQSRecord[][] = [];
  let sizeBytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const recordBytes = Buffer.byteLength(JSON.stringify(record)) + 1;
    if (sizeBytes + recordBytes > limitBytes) {
      batches.push([]);
      sizeBytes = envelopeBytes;
    }
    batches.at(-1)?.push(record);
    sizeBytes += recordBytes;
  }
  return batches;
}

const partialReply = z.looseObject({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish(),
});

/**
 * The records that are done, by what Lambda does with a reply: under ReportBatchItemFailures all but those listed
 * (nothing, `{}` and an empty list mean all), and none when the reply is malformed or lists an unknown id.
 */
export function doneRecords(records: SQSRecord[], outcome: InvokeOutcome, reportsFailures: boolean): SQSRecord[] {
  if (!outcome.ok) return [];
  if (!reportsFailures || outcome.payload === null || outcome.payload === undefined) return records;
  const reply = partialReply.safeParse(outcome.payload);
  if (!reply.success) return [];
  const failedIds = new Set((reply.data.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier));
  const knownIds = new Set(records.map(({ messageId }) => messageId));
  if (failedIds.difference(knownIds).size > 0) return [];
  return records.filter(({ messageId }) => !failedIds.has(messageId));
}
