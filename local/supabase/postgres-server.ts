import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { basename, join } from "node:path";

const START_TIMEOUT_MS = 30_000;
const MAX_LOG_LINES = 30;

// The shell holds our end of a pipe: when this process is gone, even by SIGKILL, the read ends, Postgres is told to
// stop at once and its data goes. SIGQUIT would leave System V shared memory behind, SIGINT does not.
const SUPERVISOR = `
postgres=$1; data=$2; keep=$3; shift 3
exec 3<&0
"$postgres" -D "$data" "$@" 3<&- </dev/null &
server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null &
reader=$!
wait "$server"; code=$?
kill "$reader" 2>/dev/null
[ "$keep" = keep ] || rm -rf "$data"
exit "$code"`;

export type Account = { uid: number; gid: number };

type ServerOptions = {
  binDir: string;
  dataDir: string;
  /** Account the server runs as; ours when undefined. */
  account: Account | undefined;
  /** Port on 127.0.0.1; a free one when undefined. */
  port: number | undefined;
  /** Whether the data directory survives the server. */
  keepData: boolean;
};

/** Runs a server on an initialised data directory and returns when it takes connections. */
export async function startServer(options: ServerOptions): Promise<{ port: number; stop: () => Promise<void> }> {
  const { binDir, dataDir, account } = options;
  const port = options.port ?? (await freePort());
  // A database that lives for one run: nothing is flushed, and little is kept or reserved.
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: 60,
    shared_buffers: "32MB",
    fsync: "off",
    synchronous_commit: "off",
    full_page_writes: "off",
    wal_level: "minimal",
    max_wal_senders: 0,
    min_wal_size: "2MB",
    io_method: "sync",
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    lc_messages: "C",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const keep = options.keepData ? "keep" : "remove";
  const child = spawn("/bin/sh", ["-c", SUPERVISOR, "sh", join(binDir, "postgres"), dataDir, keep, ...flags], {
    ...account,
    cwd: dataDir,
    // Its own process group, so that Ctrl-C reaches this process alone and the order of shutting down is ours.
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
  });
  const exited = once(child, "exit");
  await untilReady(child, dataDir);
  const stop = async () => {
    child.stdin?.end();
    await exited;
  };
  return { port, stop };
}

async function untilReady(child: ChildProcess, dataDir: string): Promise<void> {
  const log: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (what: string) => reject(new Error(`Postgres ${what} in ${basename(dataDir)}:\n${log.join("\n")}`));
  const timer = setTimeout(() => fail(`was not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
  child.once("error", reject);
  child.once("exit", (code) => fail(`stopped with code ${code} before it was ready`));
  // Reading never stops, since a full pipe would block the server.
  child.stderr?.on("data", (chunk: Buffer) => {
    log.push(...chunk.toString().trimEnd().split("\n"));
    log.splice(0, log.length - MAX_LOG_LINES);
    if (log.some((line) => line.includes("ready to accept connections"))) resolve();
  });
  try {
    await promise;
  } catch (error) {
    child.stdin?.end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("The system gave no free port on 127.0.0.1");
  return address.port;
}
