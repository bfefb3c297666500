import * as z from "zod";
import type { DigestMode } from "../../core/station.ts";
import { expiryAfter, type StateTable } from "../../runtime/state-table.ts";

/**
 * Who sends the digest of a week, how, and how far they are. `running` is held by a lease; the others may be claimed
 * again, except `sent`.
 */
const weekClaim = z.object({
  owner: z.string(),
  leaseUntilMs: z.number(),
  state: z.enum(["running", "sent", "failed", "empty"]),
  /** Pinned by the first claim: a resumed digest never changes its way of delivery. */
  mode: z.enum(["broadcast", "batch"]),
  /** Last subscription served in batch mode. */
  cursor: z.uuid().nullable().default(null),
  batches: z.int().default(0),
  sent: z.int().default(0),
  failed: z.int().default(0),
  parked: z.int().default(0),
  /** Left out of a batch because they were blocked or had left by the time it was sent. */
  suppressed: z.int().default(0),
  broadcastId: z.string().nullable().default(null),
});
export type WeekClaim = z.infer<typeof weekClaim>;

/** Longer than a task can run, so that a live run never loses its lease; a dead one is succeeded after this. */
const leaseMs = 20 * 60_000;
/** After a wait the machine calls the next task within seconds; a run that was stopped while it waited ends here. */
const leaseAfterRestMs = 5 * 60_000;

/** Another run took the week over: this one must stop at once. */
export class LeaseLost extends Error {
  override name = "LeaseLost";
}

export interface WeekClaims {
  claim(
    week: string,
    owner: string,
    mode: DigestMode,
  ): Promise<{ kind: "claimed" | "joined" | "already-sent"; claim: WeekClaim }>;
  read(week: string): Promise<WeekClaim | undefined>;
  /** Records progress and renews the lease; throws LeaseLost when the week is no longer ours. */
  advance(week: string, owner: string, progress: Partial<WeekClaim>): Promise<WeekClaim>;
  /** Keeps the week for a run that does nothing until `untilMs`; throws LeaseLost when the week is no longer ours. */
  rest(week: string, owner: string, untilMs: number): Promise<void>;
}

export function createWeekClaims({ table, now }: { table: StateTable; now: () => number }): WeekClaims {
  const keyOf = (week: string) => ({ pk: `digest#${week}`, sk: "claim" });
  const read = async (week: string) => {
    const item = await table.get(keyOf(week));
    return item ? weekClaim.parse(item) : undefined;
  };
  const change = async (week: string, owner: string, changes: Partial<WeekClaim>): Promise<WeekClaim> => {
    const fields = Object.keys(changes);
    const updated = await table.update(
      keyOf(week),
      {
        expression: `SET ${fields.map((field) => `#${field} = :${field}`).join(", ")}`,
        names: { "#owner": "owner", ...Object.fromEntries(fields.map((field) => [`#${field}`, field])) },
        values: {
          ":me": owner,
          ...Object.fromEntries(Object.entries(changes).map(([field, value]) => [`:${field}`, value])),
        },
      },
      "#owner = :me",
    );
    if (!updated) throw new LeaseLost(`The digest of ${week} was taken over by another run; this one stops.`);
    return weekClaim.parse(updated);
  };
  return {
    read,
    async claim(week, owner, mode) {
      const claimed = await table.update(
        keyOf(week),
        {
          expression:
            "SET #owner = :owner, leaseUntilMs = :lease, #state = :running, #mode = if_not_exists(#mode, :mode), expiresAt = :expiry",
          names: { "#owner": "owner", "#state": "state", "#mode": "mode" },
          values: {
            ":owner": owner,
            ":lease": now() + leaseMs,
            ":running": "running",
            ":mode": mode,
            ":sent": "sent",
            ":now": now(),
            ":expiry": expiryAfter(now(), 400),
          },
        },
        "attribute_not_exists(pk) OR (#state <> :sent AND (#state <> :running OR leaseUntilMs < :now OR #owner = :owner))",
      );
      if (claimed) return { kind: "claimed", claim: weekClaim.parse(claimed) };
      const present = await read(week);
      if (!present) throw new Error(`The claim of ${week} vanished while it was being read; start the digest again.`);
      return { kind: present.state === "sent" ? "already-sent" : "joined", claim: present };
    },
    advance: (week, owner, progress) => change(week, owner, { ...progress, leaseUntilMs: now() + leaseMs }),
    async rest(week, owner, untilMs) {
      await change(week, owner, { leaseUntilMs: untilMs + leaseAfterRestMs });
    },
  };
}
