import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { type Envelope, makeEnvelope, type Payload } from "../../lambdas/core/messages.ts";
import { type QueueName, queues } from "../../registry/queues.ts";
import type { FlowStation } from "./station.ts";

/** Makes messages and puts them among the dead letters of a station. */
export function burying(station: () => FlowStation) {
  return {
    async envelope<Q extends QueueName>(
      queue: Q,
      payload: Payload<Q>,
      { agoMs = 0, businessKey = "from-a-test" } = {},
    ): Promise<Envelope<Payload<Q>>> {
      const nowMs = Date.parse((await station().report()).now) - agoMs;
      return makeEnvelope(queue, payload, { businessKey, correlationId: "followed", nowMs });
    },
    /** As SQS leaves a message there, or with what the worker `said` of it. */
    async bury(queue: QueueName, message: unknown, said: Record<string, string> = {}): Promise<void> {
      const unique = crypto.randomUUID();
      await station().sqs.send(
        new SendMessageCommand({
          QueueUrl: station().deadLetterUrl(queue),
          MessageBody: typeof message === "string" ? message : JSON.stringify(message),
          MessageAttributes: Object.fromEntries(
            Object.entries(said).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
          ),
          ...(queues[queue].fifo ? { MessageGroupId: unique, MessageDeduplicationId: unique } : {}),
        }),
      );
    },
  };
}

export const jobMail = (ledgerKey: string, to = "poster@example.com"): Payload<"email"> => ({
  template: "job-posted",
  to,
  ledgerKey,
  data: { jobTitle: "Night Sorter", company: "Example Post", jobSlug: "night-sorter" },
});
