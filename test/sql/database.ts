import pg from "pg";
import { startPostgres } from "../../local/supabase/postgres.ts";

/** The first start on a machine initialises a cluster, and the machine may be busy. */
export const START_TIMEOUT_MS = 60_000;

type Args = Record<string, unknown>;

/** A migrated and seeded database of one's own, for one test file. */
export async function openDatabase() {
  const postgres = await startPostgres();
  const pool = new pg.Pool({ connectionString: postgres.connectionString, max: 24 });
  // The pool is "ended" before its connections are: the server's good-bye to the last of them is not an error.
  pool.on("error", () => undefined);
  /** Rows of a function called with named arguments; an object or a list of objects goes over as JSON. */
  const rows = async <T extends pg.QueryResultRow>(name: string, args: Args = {}): Promise<T[]> => {
    const passed = Object.keys(args).map((key, index) => `${key} => $${index + 1}`);
    const values = Object.values(args).map((value) => (isJson(value) ? JSON.stringify(value) : value));
    return (await pool.query<T>(`select * from public.${name}(${passed.join(", ")})`, values)).rows;
  };
  /** The one value of a function that returns one. */
  const call = async <T>(name: string, args: Args = {}): Promise<T> => (await rows(name, args))[0]?.[name];
  const query = async <T extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<T[]> =>
    (await pool.query<T>(text, values)).rows;
  const close = async () => {
    await pool.end();
    await postgres.stop();
  };
  return { rows, call, query, close, connectionString: postgres.connectionString };
}

export type Database = Awaited<ReturnType<typeof openDatabase>>;

export type Subscribed = {
  subscription_id: string;
  email: string;
  was_new: boolean;
  was_resubscribed: boolean;
  subscribed_at: string;
  resend_contact_id: string | null;
  sync_status: string;
  engagement_score: number;
  suppressed: boolean;
};

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return typeof value[0] === "object";
  return typeof value === "object" && value !== null;
}
