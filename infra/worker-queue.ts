import { Duration } from "aws-cdk-lib";
import type { Metric } from "aws-cdk-lib/aws-cloudwatch";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { deadLetterNameOf, physicalName, workerName } from "../lambdas/core/names.ts";
import { type QueueRecord, usualWatermarks } from "../registry/queues.ts";
import type { Alarms } from "./alarms.ts";
import { type StationContext, StationFunction } from "./station-function.ts";

/** A quarter of an hour: long enough to work off what a hold has left, which ends with a full queue. */
const backlogPeriods = 3;

/** A queue, its dead-letter queue, the worker that empties it and the alarms for what dies and what waits for too long. */
export class WorkerQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly worker: StationFunction;

  constructor(
    scope: Construct,
    id: string,
    name: string,
    { record, context, alarms }: { record: QueueRecord; context: StationContext; alarms: Alarms },
  ) {
    super(scope, id);
    const queueName = physicalName(context.stage, name) + (record.fifo ? ".fifo" : "");
    const shared = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      ...(record.fifo ? { fifo: true } : {}),
    };
    this.deadLetterQueue = new Queue(this, "dead-letters", {
      ...shared,
      queueName: deadLetterNameOf(queueName),
    });
    this.queue = new Queue(this, "queue", {
      ...shared,
      queueName,
      // Six times the worker's own limit, as AWS advises: a retry must never overlap the attempt before it.
      visibilityTimeout: Duration.seconds(record.workerTimeoutSeconds * 6),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: record.maxReceiveCount },
    });

    this.worker = new StationFunction(this, "worker", workerName(name), {
      context,
      timeoutSeconds: record.workerTimeoutSeconds,
      memoryMb: record.workerMemoryMb,
    })
      .usesTable()
      .sendsTo(name, this.queue)
      .deadLettersTo(name, this.deadLetterQueue);
    if (record.uses.providers.length > 0 || record.uses.secrets) this.worker.readsSecret();
    if (record.uses.flags) this.worker.readsFlags();
    this.worker.lambda.addEnvironment("BACKOFF_BASE_SECONDS", String(record.backoffBaseSeconds));
    this.worker.lambda.addEventSource(
      new SqsEventSource(this.queue, {
        batchSize: record.batchSize,
        maxConcurrency: record.maximumConcurrency,
        reportBatchItemFailures: true,
        ...(record.batchWindowSeconds ? { maxBatchingWindow: Duration.seconds(record.batchWindowSeconds) } : {}),
      }),
    );
    alarms.atFirst(
      `dead-letters-${name}`,
      this.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: "Maximum" }),
      record.errorImpact,
    );
    const { ageMinutes, messages } = record.watermarks ?? usualWatermarks;
    const backlog = (id: string, metric: Metric, threshold: number) =>
      alarms.at(id, alarms.unlessHeld(name, metric), { threshold, periods: backlogPeriods }, record.errorImpact);
    backlog(
      `backlog-age-${name}`,
      this.queue.metricApproximateAgeOfOldestMessage({ statistic: "Maximum" }),
      ageMinutes * 60,
    );
    backlog(
      `backlog-length-${name}`,
      this.queue.metricApproximateNumberOfMessagesVisible({ statistic: "Maximum" }),
      messages,
    );
  }
}
