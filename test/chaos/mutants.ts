import { faultOf, isKilled } from "../../local/chaos/fault-plan.ts";
import { type SeedPlan, seedPlan, weekOf } from "./seed-plan.ts";

/** One edit of a source file; `find` must be in it exactly once. `MUTANT` in `put` is true while the bug is switched on. */
interface Edit {
  file: string;
  find: string;
  put: string;
}

/** A deliberate bug that the sweep must notice. */
export interface Mutant {
  name: string;
  edits: Edit[];
  /** The breach, as `law item`, by which it shows: another one may have another cause. */
  shows: RegExp;
  /** Whether the plan of a seed has what brings the bug out; the first such seeds are played. */
  suits: (plan: SeedPlan) => boolean;
}

const ambiguous = ["lost", "failed-after"];
const always = () => true;

/** Whether the first call about an item meets one of these faults. */
const isHit = (seed: number, service: "resend" | "discord", item: string, faults: readonly string[]): boolean =>
  faults.includes(faultOf(seed, service, item, 0));

/** In `lambdas/`, written so that it is today's code as long as no mutant is switched on. */
export const mutants: readonly Mutant[] = [
  {
    name: "no ledger",
    shows: /^(disagrees|duplicated) (welcome|transactional|job-lifecycle|sequence|digest)\//,
    edits: [
      {
        file: "lambdas/runtime/mail-ledger.ts",
        find: "const send = async (wanted: Send): Promise<SendResult> => {",
        put: `const send = async (wanted: Send): Promise<SendResult> => {
          if (MUTANT) {
            await wanted.acquire();
            return { outcome: "accepted", providerIds: await wanted.call(wanted.key) };
          }`,
      },
    ],
    suits: always,
  },
  {
    name: "ack before work",
    shows: /^lost /,
    edits: [
      {
        file: "lambdas/runtime/worker.ts",
        find: "import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient }",
        put: "import { ChangeMessageVisibilityCommand, DeleteMessageCommand, SendMessageCommand, SQSClient }",
      },
      {
        file: "lambdas/runtime/worker.ts",
        find: "const deliverRecord = async (record: SQSRecord) => {",
        put: `const deliverRecord = async (record: SQSRecord) => {
          const { receiptHandle: ReceiptHandle } = record;
          if (MUTANT) await (await sqs()).send(new DeleteMessageCommand({ QueueUrl: queueUrl(queue), ReceiptHandle }));`,
      },
    ],
    suits: always,
  },
  {
    name: "swallow error",
    shows: /^lost /,
    edits: [
      {
        file: "lambdas/runtime/worker.ts",
        find: "const outcome = await handle(opened);",
        put: 'const outcome = await handle(opened).catch((e) => { if (MUTANT) return "done" as const; throw e; });',
      },
    ],
    suits: always,
  },
  {
    name: "answer success for the whole batch",
    shows: /^lost /,
    edits: [
      {
        file: "lambdas/runtime/worker.ts",
        find: "    return response;\n",
        put: "    return MUTANT ? { batchItemFailures: [] } : response;\n",
      },
    ],
    suits: always,
  },
  {
    name: "new key per attempt",
    shows: /^duplicated /,
    edits: [
      {
        file: "lambdas/runtime/mail-ledger.ts",
        find: "const providerIds = await call(key);",
        put: "const providerIds = await call(MUTANT ? [key, attempts].join() : key);",
      },
    ],
    suits: ({ seed, ordered }) =>
      ordered.some(({ ledgerKey }) => isHit(seed, "resend", `send/${ledgerKey}`, ambiguous)),
  },
  {
    name: "record before send",
    shows: /^(lost|disagrees) (welcome|transactional|job-lifecycle|sequence|digest)\//,
    edits: [
      {
        file: "lambdas/runtime/mail-ledger.ts",
        find: "      await acquire();\n",
        put: '      if (MUTANT) await move(key, "accepted", { providerIds: [] });\n      await acquire();\n',
      },
    ],
    suits: ({ seed, ordered }) =>
      ordered.some(({ ledgerKey }) => isHit(seed, "resend", `send/${ledgerKey}`, ["rate5xx", "reset"])),
  },
  {
    name: "clean before the last segment call",
    shows: /^disagrees segment\//,
    edits: [
      {
        file: "lambdas/tasks/segment-sync/apply-change.ts",
        find: "    if (add) {",
        put: "    if (MUTANT) await states.markClean(subscriptionId, target);\n    if (add) {",
      },
    ],
    suits: ({ seed, readers }) =>
      readers.some(
        ({ copies, id }) =>
          copies > 0 && isKilled(seed, "before-segment-remove", `DELETE/segment-remove/apply-change/${id}`, 0),
      ),
  },
  {
    name: "cursor advanced before the batch is sent",
    shows: /^lost digest\//,
    edits: [
      {
        file: "lambdas/tasks/digest/deliver-batches.ts",
        find: "      const sending = group.map(",
        put: `      if (MUTANT)
        await parts.claims.advance(week, execution, {
          cursor: lastOf(group.at(-1)) ?? claim.cursor,
          batches: claim.batches + group.length,
        });
      const sending = group.map(`,
      },
    ],
    suits: ({ seed, digest }) => {
      const item = `send/digest/${weekOf(digest)}/0`;
      return (
        digest.mode === "batch" &&
        (isHit(seed, "resend", item, ["rate5xx", "reset"]) || isKilled(seed, "before-send", item, 0))
      );
    },
  },
  {
    name: "announcement posted again after an unknown end",
    shows: /^duplicated discord\//,
    edits: [
      {
        file: "lambdas/runtime/announcement-ledger.ts",
        find: "      return park(sending, describeError(error).errorMessage);",
        put: `      if (MUTANT) {
        await change(sending, { status: "claimed", attemptedMs: null });
        throw error;
      }
      return park(sending, describeError(error).errorMessage);`,
      },
    ],
    suits: ({ seed, jobs }) => jobs.some(({ id }) => isHit(seed, "discord", `POST/Job ${id.slice(0, 8)}`, ambiguous)),
  },
];

const consideredSeeds = 400;

/** The first seed, of those not played yet, whose plan has what brings a mutant out. */
export function seedFor({ suits }: Mutant, played: ReadonlySet<number>): number | undefined {
  for (let seed = 1; seed <= consideredSeeds; seed += 1) if (!played.has(seed) && suits(seedPlan(seed))) return seed;
  return undefined;
}
