import * as z from "zod";
import { type ManagedSegment, managedSegments } from "../../core/engagement.ts";
import { expiryAfter, type StateTable } from "../../runtime/state-table.ts";

const stored = z.object({ segment: z.enum(managedSegments).nullable(), dirty: z.boolean(), attempts: z.int() });
type StoredState = z.infer<typeof stored>;

/** What the station believes about a contact's segment. Forgetting it costs one list call, nothing else. */
export interface SegmentStates {
  read(subscriptionId: string): Promise<StoredState | undefined>;
  /** `attempts`: how often a change was begun since the last one that came to its end. */
  markDirty(subscriptionId: string, attempts: number): Promise<void>;
  markClean(subscriptionId: string, segment: ManagedSegment): Promise<void>;
}

export function createSegmentStates({ table, now }: { table: StateTable; now: () => number }): SegmentStates {
  const keyOf = (subscriptionId: string) => ({ pk: `segment#${subscriptionId}`, sk: "state" });
  const write = async (subscriptionId: string, state: StoredState) => {
    await table.put(keyOf(subscriptionId), { ...state, expiresAt: expiryAfter(now(), 90) });
  };
  return {
    async read(subscriptionId) {
      const item = await table.get(keyOf(subscriptionId));
      return item ? stored.parse(item) : undefined;
    },
    markDirty: (subscriptionId, attempts) => write(subscriptionId, { segment: null, dirty: true, attempts }),
    markClean: (subscriptionId, segment) => write(subscriptionId, { segment, dirty: false, attempts: 0 }),
  };
}
