import * as z from "zod";
import type { QueueName } from "../../registry/queues.ts";
import type { StateTable } from "./state-table.ts";

/** A queue whose messages nobody takes out for a while; see `workers/recovery-sweep.ts`, which makes it so. */
export interface Hold {
  queue: QueueName;
  /** Epoch milliseconds; null holds the queue until somebody resumes it. */
  untilMs: number | null;
  /** For people: shown by `flux status` and in the log. */
  reason: string;
  /** The station holds a queue of its own accord, for a provider's sake; an operator does it with `flux pause`. */
  by: "station" | "operator";
}

export interface PlacedHold extends Hold {
  /** Epoch milliseconds. */
  placedAtMs: number;
}

/** The holds on queues, one item of the state table each. */
export interface Holds {
  /**
   * Holds a queue, and answers whether that changed anything: of two holds the later end wins. So the station never
   * shortens what an operator wanted; an operator may shorten their own.
   */
  place(hold: Hold): Promise<boolean>;
  /** Ends a hold before its time, whoever placed it: for operators only. */
  lift(queue: QueueName): Promise<void>;
  /** The hold in force; one past its end is none. */
  read(queue: QueueName): Promise<PlacedHold | undefined>;
}

const stored = z.object({
  untilMs: z.number().nullable(),
  reason: z.string(),
  by: z.enum(["station", "operator"]),
  placedAt: z.iso.datetime(),
});

export function createHolds({ table, now }: { table: StateTable; now: () => number }): Holds {
  const keyOf = (queue: QueueName) => ({ pk: "hold", sk: queue });
  return {
    place: ({ queue, untilMs, reason, by }) =>
      table.put(
        keyOf(queue),
        {
          untilMs,
          reason,
          by,
          placedAt: new Date(now()).toISOString(),
          // Nobody has to remove a hold that is over, which could hit one placed at the same moment.
          ...(untilMs === null ? {} : { expiresAt: Math.ceil(untilMs / 1000) }),
        },
        untilMs === null
          ? {
              expression: "attribute_not_exists(pk) OR NOT attribute_type(untilMs, :null)",
              values: { ":null": "NULL" },
            }
          : {
              expression: "attribute_not_exists(pk) OR untilMs < :untilMs OR (#by = :by AND #by = :operator)",
              names: { "#by": "by" },
              values: { ":untilMs": untilMs, ":by": by, ":operator": "operator" },
            },
      ),
    lift: (queue) => table.remove(keyOf(queue)),
    async read(queue) {
      const item = await table.get(keyOf(queue));
      if (!item) return undefined;
      const { placedAt, ...hold } = stored.parse(item);
      if (hold.untilMs !== null && hold.untilMs <= now()) return undefined;
      return { queue, ...hold, placedAtMs: Date.parse(placedAt) };
    },
  };
}
