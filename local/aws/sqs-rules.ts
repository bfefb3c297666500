import { createHash } from "node:crypto";
import type { buildApp } from "fauxqs";
import { z } from "zod";

/** What SQS does and fauxqs 2.4 does not, added around its requests and answers. */
export interface QueueRules {
  fifo: boolean;
  contentBasedDeduplication: boolean;
  /** DeduplicationScope `messageGroup`: the same deduplication id in two groups is two messages. */
  deduplicationPerGroup: boolean;
  retentionSeconds: number;
}

interface RulesContext {
  rules: Map<string, QueueRules>;
  call: (operation: string, input: Record<string, unknown>) => Promise<unknown>;
  queueUrl: (queueName: string) => string;
  now: () => number;
}

type SqsApp = ReturnType<typeof buildApp>;

// Neither a group id nor a deduplication id can hold a space.
const groupSeparator = " ";

const invalidReceiptHandle = "The input receipt handle is invalid.";
const issuedReceiptHandle = z.uuid();

/** Codes that the query protocol gives without a prefix; the SDK makes that the name of the error. */
const unprefixedCode = /^AWS\.SimpleQueueService\.(InvalidParameterValue|MissingParameter);/;

const anyRequest = z.looseObject({ QueueUrl: z.string() });
const receiptRequest = z.looseObject({ ReceiptHandle: z.string() });
const receiptBatchRequest = z.looseObject({
  Entries: z.array(z.looseObject({ Id: z.string(), ReceiptHandle: z.string() })).min(1),
});
const outgoing = z.looseObject({
  MessageBody: z.string(),
  MessageGroupId: z.string(),
  MessageDeduplicationId: z.string().optional(),
});
const outgoingBatch = z.looseObject({ Entries: z.array(z.looseObject({})) });
const receiveRequest = z.looseObject({
  QueueUrl: z.string(),
  MessageSystemAttributeNames: z.array(z.string()).optional(),
  AttributeNames: z.array(z.string()).optional(),
});
const receiveAnswer = z.looseObject({
  Messages: z
    .array(z.looseObject({ ReceiptHandle: z.string(), Attributes: z.record(z.string(), z.string()).optional() }))
    .optional(),
});
const batchAnswer = z.looseObject({ Failed: z.array(z.unknown()) });
const urlAnswer = z.looseObject({ QueueUrl: z.string() });
const urlsAnswer = z.looseObject({ QueueUrls: z.array(z.string()) });

/** Adds the rules to a fauxqs app that is not listening yet. */
export function addSqsRules(app: SqsApp, context: RulesContext): void {
  const asked = new WeakMap<object, z.infer<typeof receiveRequest>>();
  const refused = new WeakMap<object, unknown[]>();

  app.addHook("preHandler", async (request, reply) => {
    const { body } = request;
    switch (operationOf(request.headers)) {
      case "DeleteMessage":
      case "ChangeMessageVisibility": {
        const parsed = receiptRequest.safeParse(body);
        if (!parsed.success || issuedReceiptHandle.safeParse(parsed.data.ReceiptHandle).success) return;
        reply.status(400).header("content-type", "application/x-amz-json-1.0");
        reply.header("x-amzn-query-error", "ReceiptHandleIsInvalid;Sender");
        return reply.send({ __type: "com.amazonaws.sqs#ReceiptHandleIsInvalid", message: invalidReceiptHandle });
      }
      case "DeleteMessageBatch": {
        refused.set(request, bogusEntries(body));
        return;
      }
      case "SendMessage":
        request.body = withGroupScopedId(body, rulesOf(body, context.rules));
        return;
      case "SendMessageBatch": {
        const rules = rulesOf(body, context.rules);
        const batch = outgoingBatch.safeParse(body);
        if (!batch.success) return;
        request.body = { ...batch.data, Entries: batch.data.Entries.map((entry) => withGroupScopedId(entry, rules)) };
        return;
      }
      case "ReceiveMessage": {
        const parsed = receiveRequest.safeParse(body);
        if (!parsed.success) return;
        asked.set(request, parsed.data);
        request.body = {
          ...parsed.data,
          MessageSystemAttributeNames: [...(parsed.data.MessageSystemAttributeNames ?? []), "SentTimestamp"],
        };
      }
    }
  });

  app.addHook("preSerialization", async (request, reply, payload) => {
    if (reply.statusCode >= 300) {
      const queryError = reply.getHeader("x-amzn-query-error");
      if (typeof queryError === "string") {
        reply.header("x-amzn-query-error", queryError.replace(unprefixedCode, "$1;"));
      }
      return payload;
    }
    switch (operationOf(request.headers)) {
      case "CreateQueue":
      case "GetQueueUrl": {
        const answer = urlAnswer.parse(payload);
        return { ...answer, QueueUrl: context.queueUrl(queueNameOf(answer.QueueUrl)) };
      }
      case "ListQueues": {
        const answer = urlsAnswer.safeParse(payload);
        if (!answer.success) return payload;
        return { ...answer.data, QueueUrls: answer.data.QueueUrls.map((url) => context.queueUrl(queueNameOf(url))) };
      }
      case "DeleteMessageBatch":
        return refuseEntries(payload, refused.get(request) ?? []);
      case "ReceiveMessage": {
        const input = asked.get(request);
        return input === undefined ? payload : received(payload, input, context);
      }
    }
    return payload;
  });
}

function operationOf(headers: Record<string, string | string[] | undefined>): string {
  return String(headers["x-amz-target"] ?? "").replace(/^AmazonSQS\./, "");
}

function queueNameOf(queueUrl: string): string {
  return queueUrl.slice(queueUrl.lastIndexOf("/") + 1);
}

function rulesOf(body: unknown, rules: Map<string, QueueRules>): QueueRules | undefined {
  const parsed = anyRequest.safeParse(body);
  return parsed.success ? rules.get(queueNameOf(parsed.data.QueueUrl)) : undefined;
}

function bogusEntries(body: unknown): unknown[] {
  const parsed = receiptBatchRequest.safeParse(body);
  if (!parsed.success) return [];
  return parsed.data.Entries.filter(({ ReceiptHandle }) => !issuedReceiptHandle.safeParse(ReceiptHandle).success).map(
    ({ Id }) => ({ Id, SenderFault: true, Code: "ReceiptHandleIsInvalid", Message: invalidReceiptHandle }),
  );
}

function refuseEntries(payload: unknown, failed: unknown[]): unknown {
  if (failed.length === 0) return payload;
  const refusedIds = new Set(failed.map((entry) => z.object({ Id: z.string() }).parse(entry).Id));
  const answer = batchAnswer.extend({ Successful: z.array(z.object({ Id: z.string() })) }).parse(payload);
  return {
    ...answer,
    Successful: answer.Successful.filter(({ Id }) => !refusedIds.has(Id)),
    Failed: [...answer.Failed, ...failed],
  };
}

/** fauxqs deduplicates by queue only: under DeduplicationScope `messageGroup` the group becomes part of the id. */
function withGroupScopedId(message: unknown, rules: QueueRules | undefined): unknown {
  if (rules?.deduplicationPerGroup !== true) return message;
  const parsed = outgoing.safeParse(message);
  if (!parsed.success) return message;
  const { MessageBody, MessageGroupId, MessageDeduplicationId } = parsed.data;
  const contentId = rules.contentBasedDeduplication
    ? createHash("sha256").update(MessageBody).digest("hex")
    : undefined;
  const id = MessageDeduplicationId ?? contentId;
  if (id === undefined) return message;
  return { ...parsed.data, MessageDeduplicationId: `${MessageGroupId}${groupSeparator}${id}` };
}

async function received(
  payload: unknown,
  input: z.infer<typeof receiveRequest>,
  context: RulesContext,
): Promise<unknown> {
  const answer = receiveAnswer.parse(payload);
  const rules = rulesOf(input, context.rules);
  const kept: NonNullable<typeof answer.Messages> = [];
  for (const message of answer.Messages ?? []) {
    const sentAt = Number(message.Attributes?.SentTimestamp);
    if (rules !== undefined && sentAt + rules.retentionSeconds * 1000 <= context.now()) {
      // fauxqs keeps messages for ever.
      await context.call("DeleteMessage", { QueueUrl: input.QueueUrl, ReceiptHandle: message.ReceiptHandle });
    } else {
      kept.push(withAskedAttributes(message, input));
    }
  }
  return { ...answer, Messages: kept.length > 0 ? kept : undefined };
}

function withAskedAttributes<T extends { Attributes?: Record<string, string> | undefined }>(
  message: T,
  input: z.infer<typeof receiveRequest>,
): T {
  const names = [...(input.MessageSystemAttributeNames ?? []), ...(input.AttributeNames ?? [])];
  const { SentTimestamp, ...others } = message.Attributes ?? {};
  const attributes: Record<string, string> = { ...others };
  if (SentTimestamp !== undefined && (names.includes("All") || names.includes("SentTimestamp"))) {
    attributes.SentTimestamp = SentTimestamp;
  }
  const deduplicationId = attributes.MessageDeduplicationId;
  if (deduplicationId !== undefined) {
    attributes.MessageDeduplicationId = deduplicationId.slice(deduplicationId.indexOf(groupSeparator) + 1);
  }
  return { ...message, Attributes: Object.keys(attributes).length > 0 ? attributes : undefined };
}
