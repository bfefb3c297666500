import { buildApp } from "fauxqs";
import { z } from "zod";
import { cfnBoolean, cfnInteger, cfnJson } from "../assembly/cfn-values.ts";
import type { ResourceKind } from "../assembly/resource-kind.ts";
import { AwsError } from "./json-protocol.ts";
import { addSqsRules, type QueueRules } from "./sqs-rules.ts";

const redrivePolicy = z.strictObject({
  deadLetterTargetArn: z.string(),
  maxReceiveCount: cfnInteger.refine((count) => count >= 1 && count <= 1000, "must be 1 to 1000"),
});

const queueProperties = z.strictObject({
  QueueName: z.string().optional(),
  VisibilityTimeout: cfnInteger.optional(),
  MessageRetentionPeriod: cfnInteger.optional(),
  DelaySeconds: cfnInteger.optional(),
  ReceiveMessageWaitTimeSeconds: cfnInteger.optional(),
  MaximumMessageSize: cfnInteger.optional(),
  FifoQueue: cfnBoolean.optional(),
  ContentBasedDeduplication: cfnBoolean.optional(),
  DeduplicationScope: z.enum(["queue", "messageGroup"]).optional(),
  FifoThroughputLimit: z.enum(["perQueue", "perMessageGroupId"]).optional(),
  RedrivePolicy: cfnJson(redrivePolicy).optional(),
});

export type QueueProperties = z.infer<typeof queueProperties>;

export const queueKind = {
  type: "AWS::SQS::Queue",
  properties: queueProperties,
  ignoredProperties: {
    KmsDataKeyReusePeriodSeconds: "messages stay in this process's memory, unencrypted",
    KmsMasterKeyId: "messages stay in this process's memory, unencrypted",
    RedriveAllowPolicy: "every queue here belongs to the one stack",
    SqsManagedSseEnabled: "messages stay in this process's memory, unencrypted",
    Tags: "nothing here reads them",
  },
} satisfies ResourceKind<QueueProperties>;

export interface QueueCounts {
  /** Ready to be received. */
  visible: number;
  /** Received and neither deleted nor visible again. */
  inFlight: number;
  delayed: number;
}

export interface Sqs {
  url: string;
  queueUrl: (queueName: string) => string;
  /** Message counts. A delay or visibility that ran out is only noticed by the next receive, as it is in SQS's own counts. */
  inspect: (queueName: string) => Promise<QueueCounts>;
  /** When the next hidden or delayed message of a queue shows itself, epoch milliseconds; undefined when none does. */
  nextDueMs: (queueName: string) => Promise<number | undefined>;
  /** An SQS operation ("SendMessage"...) without a socket; rejects with an AwsError. */
  call: (operation: string, input: Record<string, unknown>) => Promise<unknown>;
  close: () => Promise<void>;
}

const accountId = "000000000000";

const queueList = z.array(
  z.object({
    name: z.string(),
    approximateMessageCount: z.number(),
    approximateInflightCount: z.number(),
    approximateDelayedCount: z.number(),
  }),
);

const queueMessages = z.object({
  messages: z.object({
    delayed: z.array(z.object({ delayUntil: z.number().optional() })),
    inflight: z.array(z.object({ visibilityDeadline: z.number() })),
  }),
});

const errorBody = z.object({ __type: z.string(), message: z.string() });

/** Starts SQS on 127.0.0.1 with these queues, empty. Rejects when a queue or its redrive policy is not one AWS would take. */
export async function startSqs(options: {
  queues: { name: string; properties: QueueProperties }[];
  /** 0 or absent: any free port. */
  port?: number;
  now: () => number;
}): Promise<Sqs> {
  checkRedrivePolicies(options.queues);
  // startFauxqs would listen on every interface of the machine; the app it wraps lets us choose.
  const app = buildApp({ logger: false, defaultRegion: "us-east-1" });
  let url = "";
  const queueUrl = (queueName: string) => `${url}/${accountId}/${queueName}`;

  const call = async (operation: string, input: Record<string, unknown>): Promise<unknown> => {
    const response = await app.inject({
      method: "POST",
      url: "/",
      headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${operation}` },
      payload: JSON.stringify(input),
    });
    const body: unknown = JSON.parse(response.payload || "{}");
    if (response.statusCode < 300) return body;
    const { __type, message } = errorBody.parse(body);
    throw new AwsError(__type.replace(/^.*#/, ""), message, response.statusCode);
  };

  const rules = new Map<string, QueueRules>(
    options.queues.map(({ name, properties }) => [
      name,
      {
        fifo: properties.FifoQueue === true,
        contentBasedDeduplication: properties.ContentBasedDeduplication === true,
        deduplicationPerGroup: properties.DeduplicationScope === "messageGroup",
        // 4 days, the default of CreateQueue.
        retentionSeconds: properties.MessageRetentionPeriod ?? 345_600,
      },
    ]),
  );
  addSqsRules(app, { rules, call, queueUrl, now: options.now });
  url = await app.listen({ port: options.port ?? 0, host: "127.0.0.1" });

  for (const { name, properties } of options.queues) {
    await call("CreateQueue", { QueueName: name, Attributes: attributesOf(properties) }).catch((error: unknown) => {
      throw new Error(`queue ${name} cannot be created: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    });
  }

  return {
    url,
    queueUrl,
    call,
    inspect: async (queueName) => {
      const response = await app.inject({ method: "GET", url: "/_fauxqs/queues" });
      const queue = queueList.parse(JSON.parse(response.payload)).find(({ name }) => name === queueName);
      if (queue === undefined) throw new Error(`there is no queue ${queueName} to inspect`);
      return {
        visible: queue.approximateMessageCount,
        inFlight: queue.approximateInflightCount,
        delayed: queue.approximateDelayedCount,
      };
    },
    nextDueMs: async (queueName) => {
      const response = await app.inject({ method: "GET", url: `/_fauxqs/queues/${queueName}` });
      const { delayed, inflight } = queueMessages.parse(JSON.parse(response.payload)).messages;
      const dueMs = Math.min(
        ...delayed.map(({ delayUntil = 0 }) => delayUntil),
        ...inflight.map(({ visibilityDeadline }) => visibilityDeadline),
      );
      return Number.isFinite(dueMs) ? dueMs : undefined;
    },
    close: () => app.close(),
  };
}

function checkRedrivePolicies(queues: { name: string; properties: QueueProperties }[]): void {
  const byArn = new Map(queues.map((queue) => [`arn:aws:sqs:us-east-1:${accountId}:${queue.name}`, queue]));
  for (const { name, properties } of queues) {
    const targetArn = properties.RedrivePolicy?.deadLetterTargetArn;
    if (targetArn === undefined) continue;
    const target = byArn.get(targetArn);
    if (target === undefined) throw new Error(`queue ${name} redrives to ${targetArn}, which is not in the template`);
    if ((target.properties.FifoQueue === true) !== (properties.FifoQueue === true)) {
      throw new Error(`queue ${name} and its dead-letter queue ${target.name} must both be FIFO or both be standard`);
    }
  }
}

function attributesOf(properties: QueueProperties): Record<string, string> {
  const { QueueName: _, RedrivePolicy, ...rest } = properties;
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined) attributes[name] = String(value);
  }
  if (RedrivePolicy !== undefined) attributes.RedrivePolicy = JSON.stringify(RedrivePolicy);
  return attributes;
}
