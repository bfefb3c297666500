import { setTimeout } from "node:timers/promises";
import type { SQSRecord } from "aws-lambda";
import { z } from "zod";
import { cfnBoolean, cfnInteger } from "../assembly/cfn-values.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";
import { doneRecords, splitByPayload, toRecords } from "./event-source-mapping-batch.ts";
import type { Invoke, InvokeOutcome } from "./lambda/invoke.ts";
import type { Sqs } from "./sqs.ts";

const mappingProperties = z
  .strictObject({
    EventSourceArn: z.string().regex(/^arn:aws:sqs:/, "only SQS queues can be a source on this machine"),
    FunctionName: z.string(),
    BatchSize: cfnInteger.pipe(z.int().min(1).max(10_000)).default(10),
    MaximumBatchingWindowInSeconds: cfnInteger.pipe(z.int().max(300)).default(0),
    Enabled: cfnBoolean.default(true),
    FunctionResponseTypes: z.array(z.literal("ReportBatchItemFailures")).default([]),
    ScalingConfig: z
      .strictObject({ MaximumConcurrency: cfnInteger.pipe(z.int().min(2).max(1000)).optional() })
      .optional(),
  })
  .superRefine((mapping, context) => {
    if (mapping.EventSourceArn.endsWith(".fifo")) {
      if (mapping.BatchSize > 10) context.addIssue("BatchSize of a FIFO queue is at most 10");
      if (mapping.MaximumBatchingWindowInSeconds > 0) context.addIssue("a FIFO queue takes no batching window");
    } else if (mapping.BatchSize > 10 && mapping.MaximumBatchingWindowInSeconds < 1) {
      context.addIssue("a BatchSize above 10 needs a MaximumBatchingWindowInSeconds of at least 1");
    }
  });

export type MappingProperties = z.infer<typeof mappingProperties>;

export const eventSourceMappingKind = {
  type: "AWS::Lambda::EventSourceMapping",
  properties: mappingProperties,
  ignoredProperties: { Tags: "nothing here reads them" },
} satisfies ResourceKind<MappingProperties>;

export interface BatchReport {
  functionArn: string;
  queueName: string;
  records: SQSRecord[];
  outcome: InvokeOutcome;
  /** Deleted from the queue; the others stay hidden until their visibility ends. */
  doneIds: string[];
}

export interface EventSourceMapping {
  /** Waits for the batches in flight; what a poll still out receives is dropped, so it is for shutting down only. */
  stop: () => Promise<void>;
  /** Resolves once the change holds: after disabling, nothing more is received. */
  setEnabled: (enabled: boolean) => Promise<void>;
  /** As the Lambda API names it; "Disabling" while a last poll is still out. */
  state: () => "Enabled" | "Disabling" | "Disabled";
  /** True when no batch is with the function or on its way. The queue may still hold messages. */
  isIdle: () => boolean;
}

/** Lambda goes on to 1,250 without a MaximumConcurrency; this machine stops at what one function can run at once. */
const defaultConcurrency = 10;

// Longer polls cost less at rest; shorter ones make setEnabled(false) quicker, which waits for the last one.
const pollSeconds = 1;

const retryPollMs = 1000;

/**
 * Feeds a queue's messages to a function in batches, as Lambda's poller does. Failed records are left alone: SQS shows
 * them again when their visibility ends. Rejects when the queue's visibility is shorter than the function's timeout.
 */
export async function startEventSourceMapping(options: {
  mapping: MappingProperties;
  functionArn: string;
  /** Seconds; Lambda refuses a mapping whose queue hides messages for less. */
  functionTimeoutSeconds?: number;
  sqs: Pick<Sqs, "call" | "queueUrl">;
  invoke: Invoke;
  now: () => number;
  onBatch?: (report: BatchReport) => void;
  /** Whether SQS delivers a message twice, as it may: at the same time, or once more after the first delivery. */
  repetitionOf?: (record: SQSRecord, queueName: string) => "never" | "meanwhile" | "afterwards";
  /** Told of a poll or a delete that failed; it is tried again. */
  onError?: (error: unknown) => void;
}): Promise<EventSourceMapping> {
  const { mapping, sqs, functionArn } = options;
  const queueName = mapping.EventSourceArn.slice(mapping.EventSourceArn.lastIndexOf(":") + 1);
  const queueUrl = sqs.queueUrl(queueName);
  await checkVisibility(sqs, queueUrl, queueName, options.functionTimeoutSeconds);

  const concurrency = mapping.ScalingConfig?.MaximumConcurrency ?? defaultConcurrency;
  const reportsFailures = mapping.FunctionResponseTypes.includes("ReportBatchItemFailures");
  const inFlight = new Set<Promise<void>>();
  let enabled = false;
  let stopped = false;
  let collecting = false;
  let polling: Promise<void> | undefined;
  let disabled = Promise.withResolvers<void>();

  const receive = async (maximum: number, waitSeconds: number): Promise<SQSRecord[]> =>
    toRecords(
      await sqs.call("ReceiveMessage", {
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(maximum, 10),
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      }),
      mapping.EventSourceArn,
    );

  const fillWindow = async (records: SQSRecord[]): Promise<void> => {
    const closesAt = options.now() + mapping.MaximumBatchingWindowInSeconds * 1000;
    while (enabled && records.length < mapping.BatchSize && splitByPayload(records).length === 1) {
      const leftSeconds = (closesAt - options.now()) / 1000;
      if (leftSeconds <= 0) return;
      records.push(...(await receive(mapping.BatchSize - records.length, Math.min(leftSeconds, pollSeconds))));
    }
  };

  const collectBatches = async (): Promise<SQSRecord[][]> => {
    const records = await receive(mapping.BatchSize, pollSeconds);
    if (records.length === 0) return [];
    collecting = true;
    await fillWindow(records);
    return splitByPayload(records);
  };

  const deliver = async (records: SQSRecord[], again: SQSRecord[] = []): Promise<void> => {
    if (records.length === 0) return;
    const outcome = await options.invoke(functionArn, { Records: records });
    await deliver(again);
    const done = doneRecords(records, outcome, reportsFailures);
    await deleteAll(sqs, queueUrl, done).catch((error: unknown) => options.onError?.(error));
    options.onBatch?.({ functionArn, queueName, records, outcome, doneIds: done.map(({ messageId }) => messageId) });
  };

  const runBatch = async (records: SQSRecord[]): Promise<void> => {
    const wanted = new Map(records.map((record) => [record, options.repetitionOf?.(record, queueName) ?? "never"]));
    const meanwhile = records.filter((record) => wanted.get(record) === "meanwhile");
    const afterwards = records.filter((record) => wanted.get(record) === "afterwards");
    // A FIFO queue keeps a group's messages to itself until the first is deleted: a second delivery comes before that.
    if (mapping.EventSourceArn.endsWith(".fifo")) return deliver(records, [...meanwhile, ...afterwards]);
    await Promise.all([deliver(records), deliver(meanwhile)]);
    await deliver(afterwards);
  };

  const dispatch = (records: SQSRecord[]): void => {
    const batch = runBatch(records)
      .catch((error: unknown) => options.onError?.(error))
      .finally(() => inFlight.delete(batch));
    inFlight.add(batch);
  };

  const freeSlot = async (): Promise<void> => {
    while (inFlight.size >= concurrency) await Promise.race(inFlight);
  };

  const poll = async (): Promise<void> => {
    while (enabled) {
      await Promise.race([freeSlot(), disabled.promise]);
      if (!enabled) break;
      try {
        for (const batch of await collectBatches()) {
          await freeSlot();
          if (stopped) return;
          dispatch(batch);
        }
      } catch (error) {
        if (stopped) return;
        options.onError?.(error);
        await Promise.race([setTimeout(retryPollMs, undefined, { ref: false }), disabled.promise]);
      } finally {
        collecting = false;
      }
    }
    // In one step with the last look at `enabled`, so that whoever enables again either keeps this loop or starts one.
    polling = undefined;
  };

  const setEnabled = async (wanted: boolean): Promise<void> => {
    if (stopped && wanted) throw new Error(`the mapping of queue ${queueName} has been stopped`);
    if (wanted && !enabled) disabled = Promise.withResolvers();
    enabled = wanted;
    if (wanted) {
      polling ??= poll();
    } else {
      disabled.resolve();
      await polling;
    }
  };

  await setEnabled(mapping.Enabled);

  return {
    setEnabled,
    stop: async () => {
      stopped = true;
      enabled = false;
      disabled.resolve();
      await Promise.all(inFlight);
    },
    state: () => (enabled ? "Enabled" : polling === undefined ? "Disabled" : "Disabling"),
    isIdle: () => inFlight.size === 0 && !collecting,
  };
}

async function checkVisibility(
  sqs: Pick<Sqs, "call">,
  queueUrl: string,
  queueName: string,
  functionTimeoutSeconds = 0,
): Promise<void> {
  const answer = z
    .object({ Attributes: z.object({ VisibilityTimeout: z.coerce.number() }) })
    .parse(await sqs.call("GetQueueAttributes", { QueueUrl: queueUrl, AttributeNames: ["VisibilityTimeout"] }));
  if (answer.Attributes.VisibilityTimeout < functionTimeoutSeconds) {
    throw new Error(
      `queue ${queueName} hides a message for ${answer.Attributes.VisibilityTimeout} s, less than the function's ` +
        `timeout of ${functionTimeoutSeconds} s: raise its VisibilityTimeout, Lambda refuses such a mapping`,
    );
  }
}

async function deleteAll(sqs: Pick<Sqs, "call">, queueUrl: string, records: SQSRecord[]): Promise<void> {
  for (let start = 0; start < records.length; start += 10) {
    const Entries = records
      .slice(start, start + 10)
      .map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }));
    await sqs.call("DeleteMessageBatch", { QueueUrl: queueUrl, Entries });
  }
}
