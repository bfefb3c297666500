import { setTimeout as sleep } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { recordRedrive } from "../../lambdas/runtime/queue-records.ts";
import { queues as records } from "../../registry/queues.ts";
import { audited } from "../audit.ts";
import { type Command, countFlag, printJson, readFlags } from "../command.ts";
import { concurrently } from "../concurrently.ts";
import { OperatorError, UsageError } from "../operator-error.ts";
import type { Target } from "../target.ts";
import { type DeadLetter, withDeadLetters } from "./dead-letters.ts";
import { createOutlook } from "./outlook.ts";
import { lookSeconds, readSelection, selectionFlags, selectionHelp, unseenSentence } from "./selection.ts";

/** SQS hides a message for twelve hours at most. */
const longestHiddenSeconds = 43_200;

const redriveFlags = z.object({ rate: countFlag(1000).default(10), "dry-run": z.boolean().default(false) });

export const redrive: Command = {
  usage: "[id ...] [--queue Q] [--where EXPR] [--rate N] [--dry-run] [--limit N] [--json]",
  summary: "send dead letters back to their queues",
  details: `Sends the same message back and then deletes the dead letter: whatever dies in between, nothing is lost, and
carried out twice it has no second effect. Without ids and --where it takes all.
--rate is how many leave per second (default 10).
--dry-run changes nothing and says what would become of each message by the ledgers.
${selectionHelp}`,
  flags: { ...selectionFlags, rate: { type: "string" }, "dry-run": { type: "boolean" } },
  async run(target, input) {
    const selection = readSelection(input);
    const { rate, "dry-run": dryRun } = readFlags(redriveFlags, input.flags);
    const { queues, limit, matches, json } = selection;
    const hiddenSeconds = lookSeconds + Math.ceil((limit * queues.length) / rate);
    if (hiddenSeconds > longestHiddenSeconds)
      throw new UsageError("That would take more than twelve hours: name a --queue, raise --rate or lower --limit.");
    await withDeadLetters(target, { queues, limit, hiddenSeconds }, async ({ letters, unseen, remove }) => {
      const chosen = letters.filter(matches);
      if (dryRun) return tellOutlooks(target, chosen, json);
      const { matched, redriven, failed, reason } = await redriveAll(target, chosen, {
        rate,
        remove,
        given: givenOf(selection, { rate }),
      });
      if (json) printJson({ matched, redriven, failed, unseen });
      else console.log(`Sent back ${redriven} of ${matched} dead letters.`);
      if (unseenSentence(unseen) && !json) console.log(unseenSentence(unseen));
      if (failed > 0) throw new OperatorError(`${failed} could not be sent back: ${reason}`);
    });
  },
};

interface Redriving {
  rate: number;
  remove: (letter: DeadLetter) => Promise<void>;
  given: Record<string, unknown>;
}

async function redriveAll(target: Target, letters: DeadLetter[], { rate, remove, given }: Redriving) {
  let reason = "";
  const counts = await audited(target, { verb: "dlq redrive", given }, async () => {
    let redriven = 0;
    let tried = 0;
    let isStopped = false;
    // Ctrl-C ends it after the message at hand; the others are given back at once.
    const stop = () => {
      isStopped = true;
    };
    process.on("SIGINT", stop);
    const startedMs = performance.now();
    for (const [index, letter] of letters.entries()) {
      const aheadMs = startedMs + (index * 1000) / rate - performance.now();
      if (aheadMs > 0) await sleep(aheadMs);
      if (isStopped) break;
      tried += 1;
      try {
        await sendBack(target, letter);
        await remove(letter);
        redriven += 1;
      } catch (error) {
        reason = `${letter.queue} ${letter.id}: ${error instanceof Error ? error.message : String(error)}`;
        continue;
      }
      await noteRedrive(target, letter);
    }
    process.off("SIGINT", stop);
    return { matched: letters.length, redriven, failed: tried - redriven };
  });
  return { ...counts, reason };
}

/** The message as it is, but for a note since when it is under way again: its age no longer counts from its first day. */
async function sendBack({ sqs, queueUrl, now }: Target, letter: DeadLetter): Promise<void> {
  const { queue, envelope, body, groupId, messageId } = letter;
  const again = envelope ? JSON.stringify({ ...envelope, redrivenAt: new Date(now()).toISOString() }) : body;
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: await queueUrl(queue),
      MessageBody: again,
      ...(records[queue].fifo
        ? {
            MessageGroupId: envelope?.businessKey || groupId,
            // Not the envelope's id: SQS may remember that one. A redrive repeated after a crash is the same message.
            MessageDeduplicationId: `redrive-${messageId}`,
          }
        : {}),
    }),
  );
}

/** Without it a later death without a word would be given the earlier reason. */
async function noteRedrive({ table, now }: Target, { queue, id, lastFailedAt }: DeadLetter): Promise<void> {
  if (lastFailedAt) await recordRedrive(table, { queue, envelopeId: id, failedAt: lastFailedAt, nowMs: now() });
}

async function tellOutlooks(target: Target, letters: DeadLetter[], json: boolean): Promise<void> {
  const outlook = createOutlook(target);
  const items = await concurrently(letters, 10, async (letter) => ({
    queue: letter.queue,
    id: letter.id,
    ...(await outlook(letter)),
  }));
  const verdicts = Object.fromEntries(
    [...Map.groupBy(items, ({ verdict }) => verdict)].map(([verdict, { length }]) => [verdict, length]),
  );
  if (json) return printJson({ dryRun: true, matched: items.length, verdicts, items });
  for (const { queue, id, verdict, detail, key } of items)
    console.log(`${queue}  ${id}  ${verdict}: ${detail}${key ? ` (${key})` : ""}`);
  const summary = Object.entries(verdicts).map(([verdict, amount]) => `${amount} ${verdict}`);
  console.log(`Nothing was sent. Of ${items.length} dead letters: ${summary.join(", ") || "none match"}.`);
}

const dropFlags = z.object({ reason: z.string().optional(), "dry-run": z.boolean().default(false) });

export const drop: Command = {
  usage: "[id ...] [--queue Q] [--where EXPR] --reason TEXT [--dry-run] [--limit N] [--json]",
  summary: "delete dead letters that nobody needs any more",
  details: `For good. Needs an id or --where, and a reason for the record (flux dlq log).
${selectionHelp}`,
  flags: { ...selectionFlags, reason: { type: "string" }, "dry-run": { type: "boolean" } },
  async run(target, input) {
    const selection = readSelection(input);
    const { reason, "dry-run": dryRun } = readFlags(dropFlags, input.flags);
    const { queues, limit, matches, json, ids, where } = selection;
    if (ids.length + where.length === 0) throw new UsageError("flux dlq drop needs an id or --where.");
    if (!reason?.trim()) throw new UsageError("flux dlq drop needs a --reason.");
    await withDeadLetters(target, { queues, limit, hiddenSeconds: lookSeconds * 5 }, async ({ letters, remove }) => {
      const chosen = letters.filter(matches);
      if (dryRun) {
        const items = chosen.map(({ queue, id, errorName }) => ({ queue, id, errorName }));
        if (json) return printJson({ dryRun: true, matched: items.length, items });
        for (const { queue, id, errorName } of items) console.log(`${queue}  ${id}  ${errorName}`);
        return console.log(`Nothing was deleted. ${items.length} dead letters match.`);
      }
      const counts = await audited(target, { verb: "dlq drop", given: givenOf(selection, { reason }) }, async () => {
        await concurrently(chosen, 5, remove);
        return { matched: chosen.length, dropped: chosen.length };
      });
      if (json) printJson(counts);
      else console.log(`Deleted ${counts.dropped} dead letters.`);
    });
  },
};

/** What the operator asked for, for the audit record. */
function givenOf(
  { queue, ids, where }: ReturnType<typeof readSelection>,
  more: Record<string, unknown>,
): Record<string, unknown> {
  return {
    ...(queue ? { queue } : {}),
    ...(ids.length > 0 ? { ids } : {}),
    ...(where.length > 0 ? { where } : {}),
    ...more,
  };
}
