import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { type QueueName, queues } from "../../registry/queues.ts";
import { contracts, type Envelope, type Payload } from "../core/messages.ts";
import { InvalidInput } from "../core/outcome.ts";
import { patience } from "./patience.ts";

/** SQS takes ten messages and 1 MiB per batch; one message may fill it. */
const batchLimit = { messages: 10, bytes: 1_048_576 };
/** Batches on their way at once: ten thousand messages must leave before the caller's patience ends. */
const concurrentBatches = 20;

export interface MessageSender {
  /** Puts messages on a queue; answers the indexes of those that are too large or that SQS refused, with the reason. */
  sendAll<Q extends QueueName>(
    queue: Q,
    envelopes: Envelope<Payload<Q>>[],
  ): Promise<{ index: number; reason: string }[]>;
  /** Puts one message on a queue, not to be seen before `delaySeconds` (standard queues, up to 900). */
  send<Q extends QueueName>(queue: Q, envelope: Envelope<Payload<Q>>, delaySeconds?: number): Promise<void>;
}

/** @param urlOf address of a queue. A message that breaks its contract or is too large is refused here: InvalidInput. */
export function createMessageSender(
  urlOf: (queue: QueueName) => string,
  client = new SQSClient(patience),
): MessageSender {
  const entryOf = <Q extends QueueName>(queue: Q, envelope: Envelope<Payload<Q>>) => {
    const checked = contracts[queue].safeParse(envelope.payload);
    if (!checked.success) throw new InvalidInput(`Message for ${queue} breaks its contract: ${checked.error.message}`);
    return {
      MessageBody: JSON.stringify(envelope),
      // One group per contact gives exclusion; the envelope's id makes a second send of the same message none.
      ...(queues[queue].fifo ? { MessageGroupId: envelope.businessKey, MessageDeduplicationId: envelope.id } : {}),
    };
  };
  return {
    async send(queue, envelope, delaySeconds) {
      const entry = entryOf(queue, envelope);
      const size = Buffer.byteLength(entry.MessageBody);
      if (size > batchLimit.bytes) throw new InvalidInput(`Message for ${queue} ${tooLarge(size)}`);
      await client.send(
        new SendMessageCommand({
          QueueUrl: urlOf(queue),
          ...entry,
          ...(delaySeconds ? { DelaySeconds: delaySeconds } : {}),
        }),
      );
    },
    async sendAll(queue, envelopes) {
      const entries = envelopes.map((envelope, index) => ({ Id: String(index), ...entryOf(queue, envelope) }));
      const refused: { index: number; reason: string }[] = [];
      const fitting = entries.filter(({ Id, MessageBody }) => {
        const size = Buffer.byteLength(MessageBody);
        if (size > batchLimit.bytes) refused.push({ index: Number(Id), reason: tooLarge(size) });
        return size <= batchLimit.bytes;
      });
      const batches = inBatches(fitting).values();
      const sendRest = async () => {
        for (const Entries of batches) {
          const { Failed } = await client.send(new SendMessageBatchCommand({ QueueUrl: urlOf(queue), Entries }));
          for (const { Id, Code, Message } of Failed ?? [])
            refused.push({ index: Number(Id), reason: Message ?? Code ?? "" });
        }
      };
      // On a FIFO queue the order of sending is the order of the group.
      const lanes = queues[queue].fifo ? 1 : concurrentBatches;
      await Promise.all(Array.from({ length: lanes }, sendRest));
      return refused;
    },
  };
}

const tooLarge = (bytes: number) => `has ${bytes} bytes with its envelope; SQS takes at most ${batchLimit.bytes}`;

function inBatches<E extends { MessageBody: string }>(entries: E[]): E[][] {
  const batches: E[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.MessageBody);
    const last = batches.at(-1);
    if (last && last.length < batchLimit.messages && bytes + size <= batchLimit.bytes) {
      last.push(entry);
      bytes += size;
    } else {
      batches.push([entry]);
      bytes = size;
    }
  }
  return batches;
}
