import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { afterAll, describe, expect, it, vi } from "vitest";
import { migrate, readSupabaseFolder } from "../../local/supabase/migrate.ts";
import { startPostgres } from "../../local/supabase/postgres.ts";
import { START_TIMEOUT_MS } from "./database.ts";

// Each test starts a server of its own.
vi.setConfig({ testTimeout: START_TIMEOUT_MS, hookTimeout: START_TIMEOUT_MS });

const SUPABASE_DIR = new URL("../../supabase", import.meta.url).pathname;
const scratch = await mkdtemp(join(tmpdir(), "postgres-test-"));
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function ask<T extends pg.QueryResultRow>(connectionString: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

describe("the database of a station", () => {
  it("starts migrated, seeded and recorded as the Supabase CLI records it", async () => {
    const { connectionString, stop } = await startPostgres();
    try {
      const folder = await readSupabaseFolder(SUPABASE_DIR);
      const recorded = await ask<{ version: string }>(
        connectionString,
        "select version from supabase_migrations.schema_migrations order by 1",
      );
      expect(recorded.map((row) => row.version)).toEqual(folder.migrations.map((migration) => migration.version));
      expect(await migrate(connectionString, folder)).toEqual([]);
      const [seeded] = await ask<{ entries: number; people: number }>(
        connectionString,
        `select (select count(*)::integer from public.content) as entries,
           (select count(*)::integer from public.newsletter_subscriptions) as people`,
      );
      expect(seeded).toEqual({ entries: 40, people: 0 });
    } finally {
      await stop();
    }
  });

  it("is one's own: another that runs beside it shares no row, no port and no password", async () => {
    const [one, two] = await Promise.all([startPostgres(), startPostgres({ password: "of-my-choice" })]);
    try {
      await ask(one.connectionString, "create table public.only_here (id integer)");
      expect(await ask(two.connectionString, "select to_regclass('public.only_here') as found")).toEqual([
        { found: null },
      ]);
      expect(two.connectionString).toBe(`postgresql://postgres:of-my-choice@127.0.0.1:${two.port}/postgres`);
      const guessed = one.connectionString.replace(/:[^:@]+@/, ":of-my-choice@");
      await expect(ask(guessed, "select 1")).rejects.toMatchObject({ code: "28P01" });
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  it("is gone with its data after stop, twice asked or once", async () => {
    const { connectionString, port, stop } = await startPostgres();
    const [settings] = await ask<{ data: string }>(
      connectionString,
      "select current_setting('data_directory') as data",
    );
    await stop();
    await stop();
    expect(await listens(port)).toBe(false);
    await expect(stat(settings?.data ?? "")).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("does not outlive a station that is killed", async () => {
    const script = join(scratch, "killed.ts");
    const module = pathToFileURL(new URL("../../local/supabase/postgres.ts", import.meta.url).pathname).href;
    await writeFile(
      script,
      `const { startPostgres } = await import(${JSON.stringify(module)});
      const { port } = await startPostgres();
      process.stdout.write(String(port) + "\\n");
      setInterval(() => {}, 1000);`,
    );
    const station = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(station.stdout, "data");
    const port = Number(String(line));
    expect(await listens(port)).toBe(true);
    station.kill("SIGKILL");
    await vi.waitFor(async () => expect(await listens(port)).toBe(false), { timeout: 10_000 });
  });
});

describe("a migration that fails", () => {
  it("leaves nothing behind and says which one it was", async () => {
    const { connectionString, stop } = await startPostgres();
    try {
      const folder = await readSupabaseFolder(SUPABASE_DIR);
      const broken = {
        version: "20991231000000",
        name: "broken",
        sql: "create table public.half (id integer); select nonsense();",
      };
      await expect(
        migrate(connectionString, { ...folder, migrations: [...folder.migrations, broken] }),
      ).rejects.toThrow("Migration 20991231000000_broken was rolled back: function nonsense() does not exist");
      expect(await ask(connectionString, "select to_regclass('public.half') as found")).toEqual([{ found: null }]);
    } finally {
      await stop();
    }
  });
});
