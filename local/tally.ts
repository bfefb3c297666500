import { z } from "zod";

/** Outcomes of a queue's messages, each message counted once by its last outcome. */
export interface QueueTally {
  received: number;
  done: number;
  suppressed: number;
  parked: number;
  deferred: number;
  failing: number;
  invalid: number;
}

const outcomeLine = z.object({
  message: z.literal("message.outcome"),
  queue: z.string(),
  envelopeId: z.string(),
  outcome: z.enum(["done", "suppressed", "parked", "deferred", "failing", "invalid"]),
});

/** What the functions' own log lines say, added up: the same lines that a query over CloudWatch would add up. */
export interface Tally {
  read(line: string): void;
  queues(): Record<string, QueueTally>;
  /** Lines by code and level, for warnings and errors only. */
  troubles(): Record<string, number>;
}

const troubleLine = z.object({ message: z.string(), level: z.enum(["WARN", "ERROR", "CRITICAL"]) });

export function createTally(): Tally {
  const lastOutcome = new Map<string, Map<string, z.infer<typeof outcomeLine>["outcome"]>>();
  const troubles = new Map<string, number>();

  const readObject = (value: unknown) => {
    const trouble = troubleLine.safeParse(value);
    if (trouble.success) troubles.set(trouble.data.message, (troubles.get(trouble.data.message) ?? 0) + 1);
    const parsed = outcomeLine.safeParse(value);
    if (!parsed.success) return;
    const { queue, envelopeId, outcome } = parsed.data;
    const ofQueue = lastOutcome.get(queue) ?? new Map();
    lastOutcome.set(queue, ofQueue.set(envelopeId, outcome));
  };

  return {
    read(line) {
      if (!line.startsWith("{")) return;
      try {
        readObject(JSON.parse(line));
      } catch {
        // A line that a function printed by itself need not be JSON.
      }
    },
    queues() {
      const tally: Record<string, QueueTally> = {};
      for (const [queue, outcomes] of lastOutcome) {
        const counted: QueueTally = {
          received: outcomes.size,
          done: 0,
          suppressed: 0,
          parked: 0,
          deferred: 0,
          failing: 0,
          invalid: 0,
        };
        for (const outcome of outcomes.values()) counted[outcome] += 1;
        tally[queue] = counted;
      }
      return tally;
    },
    troubles: () => Object.fromEntries(troubles),
  };
}
