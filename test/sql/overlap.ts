import pg from "pg";
import { vi } from "vitest";
import type { Database } from "./database.ts";

/**
 * Runs `first` in a transaction of its own and, before that commits, `second` beside it. By default `second` has to
 * meet a lock of `first` and is waited for until it does, so the two overlap every time the test runs.
 */
export async function overlap<T>(
  db: Database,
  first: { text: string; values?: unknown[] },
  second: () => Promise<T>,
  { meets = "lock" }: { meets?: "lock" | "nothing" } = {},
): Promise<T> {
  const client = new pg.Client({ connectionString: db.connectionString });
  await client.connect();
  try {
    await client.query("begin");
    await client.query(first.text, first.values);
    const running = second();
    if (meets === "nothing") return await running;
    await vi.waitFor(
      async () => {
        const blocked = await db.query("select from pg_stat_activity where wait_event_type = 'Lock'");
        if (blocked.length === 0) throw new Error("The second call met no lock of the first");
      },
      { timeout: 5_000 },
    );
    await client.query("commit");
    return await running;
  } finally {
    await client.end();
  }
}
