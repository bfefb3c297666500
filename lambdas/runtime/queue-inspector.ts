import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import * as z from "zod";
import { type QueueName, queues } from "../../registry/queues.ts";
import { entriesOf } from "../core/record.ts";
import { describeError, log } from "./logger.ts";
import { patience } from "./patience.ts";
import { readQueueRecord } from "./queue-records.ts";
import type { StateTable } from "./state-table.ts";

/** A queue as `/health` shows it. Numbers that could not be read are null: unknown is not the same as empty. */
export interface QueueState {
  queue: QueueName;
  queue_length: number | null;
  in_flight: number | null;
  delayed: number | null;
  dead_letters: number | null;
  last_success_at: string | null;
  error_streak: number | null;
}

export interface QueueInspector {
  inspect(queue: QueueName): Promise<QueueState>;
  inspectAll(): Promise<QueueState[]>;
}

const amount = z.string().regex(/^\d+$/).transform(Number);
const depth = z.object({ waiting: amount, inFlight: amount, delayed: amount });

interface Urls {
  urlOf: (queue: QueueName) => string;
  deadLetterUrlOf: (queue: QueueName) => string;
}

export function createQueueInspector(
  { urlOf, deadLetterUrlOf, table }: Urls & { table: StateTable },
  client = new SQSClient(patience),
): QueueInspector {
  const depths = async (url: string) => {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: [
          "ApproximateNumberOfMessages",
          "ApproximateNumberOfMessagesNotVisible",
          "ApproximateNumberOfMessagesDelayed",
        ],
      }),
    );
    return depth.parse({
      waiting: Attributes.ApproximateNumberOfMessages,
      inFlight: Attributes.ApproximateNumberOfMessagesNotVisible,
      delayed: Attributes.ApproximateNumberOfMessagesDelayed,
    });
  };

  const orNull = async <T>(what: string, queue: QueueName, reading: Promise<T>): Promise<T | null> => {
    try {
      return await reading;
    } catch (error) {
      log.warn("queue.unreadable", { what, queue, ...describeError(error) });
      return null;
    }
  };

  const inspect = async (queue: QueueName): Promise<QueueState> => {
    const [alive, dead, record] = await Promise.all([
      orNull("depth", queue, depths(urlOf(queue))),
      orNull("dead letters", queue, depths(deadLetterUrlOf(queue))),
      orNull("record", queue, readQueueRecord(table, queue)),
    ]);
    return {
      queue,
      queue_length: alive?.waiting ?? null,
      in_flight: alive?.inFlight ?? null,
      delayed: alive?.delayed ?? null,
      // Somebody who looks at a dead letter hides it for a while; it is no less dead.
      dead_letters: dead ? dead.waiting + dead.inFlight : null,
      last_success_at: record?.lastSuccessAt ?? null,
      error_streak: record?.errorStreak ?? null,
    };
  };

  return { inspect, inspectAll: () => Promise.all(entriesOf(queues).map(([queue]) => inspect(queue))) };
}
