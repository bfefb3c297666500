import { createClient, type PostgrestError } from "@supabase/supabase-js";
import { z } from "zod";
import { OperatorError } from "./operator-error.ts";
import type { Target } from "./target.ts";

/** The database would have to change something to answer; it was asked not to. */
export class WritesRefused extends Error {
  override name = "WritesRefused";
}

/** The directory's database, of which nothing can be changed from here. */
export interface ReadOnlyDatabase {
  /** Calls a function in a read-only transaction, as PostgREST does for GET; throws WritesRefused for one that writes. */
  call(rpcName: string, args: Record<string, unknown>): Promise<unknown>;
  /** The first row of a table whose column has that value, with the named columns. */
  find<S extends z.ZodType>(table: string, column: string, value: string, row: S): Promise<z.infer<S> | undefined>;
}

/** SQLSTATE of a write in a read-only transaction. */
const readOnlyTransaction = "25006";

export async function openReadOnlyDatabase(target: Target): Promise<ReadOnlyDatabase> {
  const client = createClient(target.supabaseUrl, await target.secret("supabaseServiceRoleKey"), {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });
  const refused = (what: string, error: PostgrestError) =>
    new OperatorError(`The database does not answer ${what}: ${error.code} ${error.message}`, { cause: error });
  return {
    async call(rpcName, args) {
      const { data, error } = await client.rpc(rpcName, inQuery(args), { get: true });
      if (error?.code === readOnlyTransaction) throw new WritesRefused(`${rpcName} writes`);
      if (error) throw refused(rpcName, error);
      return data;
    },
    async find(table, column, value, row) {
      const { data, error } = await client.from(table).select().eq(column, value).limit(1);
      if (error) throw refused(`for ${table}`, error);
      return z.array(row).parse(data)[0];
    },
  };
}

/** As values stand in a query: null is what the function takes by default, an array is Postgres's own literal. */
function inQuery(args: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => [name, Array.isArray(value) ? value.map((part) => JSON.stringify(part)) : value]),
  );
}
