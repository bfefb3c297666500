import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";

const PLATFORM_SQL = fileURLToPath(new URL("platform.sql", import.meta.url));

/** One folder in Supabase CLI layout, read into memory. */
export type SupabaseFolder = {
  /** What a hosted project contains before its first migration. */
  platform: string;
  migrations: { version: string; name: string; sql: string }[];
  seed: string;
};

/** Reads `migrations/<version>_<name>.sql` in order of version, and `seed.sql` (empty when absent). */
export async function readSupabaseFolder(folder: string): Promise<SupabaseFolder> {
  const migrations = [];
  for (const file of (await readdir(join(folder, "migrations"))).sort()) {
    const parts = /^(\d{14})_(.+)\.sql$/.exec(file);
    if (!parts?.[1] || !parts[2]) throw new Error(`Migration ${file} is not named <14 digits>_<name>.sql: rename it`);
    const sql = await readFile(join(folder, "migrations", file), "utf8");
    migrations.push({ version: parts[1], name: parts[2], sql });
  }
  const seedSql = await readFile(join(folder, "seed.sql"), "utf8").catch(() => "");
  return { platform: await readFile(PLATFORM_SQL, "utf8"), migrations, seed: seedSql };
}

/**
 * Applies what is not yet in `supabase_migrations.schema_migrations`, each migration in its own transaction, and
 * returns the versions applied. The record is the one the Supabase CLI keeps, so both can work on one database.
 */
export async function migrate(connectionString: string, folder: SupabaseFolder): Promise<string[]> {
  return withClient(connectionString, async (client) => {
    await client.query(folder.platform);
    const done = await client.query<{ version: string }>("select version from supabase_migrations.schema_migrations");
    const versions = new Set(done.rows.map((row) => row.version));
    const applied: string[] = [];
    for (const migration of folder.migrations) {
      if (versions.has(migration.version)) continue;
      await inTransaction(client, `Migration ${migration.version}_${migration.name}`, async () => {
        await client.query(migration.sql);
        await client.query(
          "insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)",
          [migration.version, migration.name, [migration.sql]],
        );
      });
      applied.push(migration.version);
    }
    return applied;
  });
}

/** Runs the folder's seed once, in one transaction. */
export async function seed(connectionString: string, folder: SupabaseFolder): Promise<void> {
  await withClient(connectionString, (client) =>
    inTransaction(client, "The seed", async () => {
      await client.query(folder.seed);
    }),
  );
}

/** URL of the database `postgres` of a server on this machine. */
export function connectionStringFor(port: number, password: string): string {
  return `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
}

async function withClient<T>(connectionString: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function inTransaction(client: pg.Client, what: string, work: () => Promise<void>): Promise<void> {
  await client.query("begin");
  try {
    await work();
    await client.query("commit");
  } catch (cause) {
    await client.query("rollback");
    const reason =
      cause instanceof pg.DatabaseError ? `${cause.message} (at character ${cause.position ?? "?"})` : String(cause);
    throw new Error(`${what} was rolled back: ${reason}`, { cause });
  }
}
