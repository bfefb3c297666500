import type { QueueName } from "../../registry/queues.ts";
import type { DeadLetter } from "./dead-letters.ts";

/** Dead letters of one queue that died of the same cause. */
export interface Group {
  queue: QueueName;
  fingerprint: string;
  count: number;
  errorName: string;
  /** Of one of them, shortened. */
  reason: string;
  attempts: { fewest: number; most: number };
  firstSeenAt: string;
  lastFailedAt: string | null;
  exampleId: string;
}

type Member = Pick<
  DeadLetter,
  "queue" | "id" | "fingerprint" | "errorName" | "reason" | "attempts" | "firstSeenAt" | "lastFailedAt"
>;

const shownReason = 240;

/** The letters by queue and fingerprint, the largest group of each queue first. */
export function groupLetters(letters: readonly Member[]): Group[] {
  const members = Map.groupBy(letters, ({ queue, fingerprint }) => `${queue} ${fingerprint}`);
  return [...members.values()]
    .flatMap(([first, ...rest]) => (first ? [groupOf([first, ...rest])] : []))
    .toSorted((a, b) => a.queue.localeCompare(b.queue) || b.count - a.count);
}

function groupOf(members: [Member, ...Member[]]): Group {
  const [{ queue, fingerprint, errorName, reason, id }] = members;
  const attempts = members.map((member) => member.attempts);
  return {
    queue,
    fingerprint,
    count: members.length,
    errorName,
    reason: reason.length > shownReason ? `${reason.slice(0, shownReason - 1)}…` : reason,
    attempts: { fewest: Math.min(...attempts), most: Math.max(...attempts) },
    firstSeenAt: members.map(({ firstSeenAt }) => firstSeenAt).toSorted()[0] ?? "",
    lastFailedAt:
      members
        .flatMap(({ lastFailedAt }) => lastFailedAt ?? [])
        .toSorted()
        .at(-1) ?? null,
    exampleId: id,
  };
}
