import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { send } from "./http.ts";
import { refuseLeaks, scanStationLog } from "./log-scan.ts";
import { START_TIMEOUT_MS } from "./station.ts";

const root = join(import.meta.dirname, "../..");

interface Started {
  /** Of the first process, which leads the group of all of them. */
  pid: number;
  /** All that was printed so far. */
  printed(): string;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | string | null>;
}

const groups = new Set<number>();
afterAll(() => {
  for (const pid of groups) kill(-pid, "SIGKILL");
});

/** What `npm start` runs, in a process group of its own as a terminal would give it. */
function npmStart(args: string[], environment: Record<string, string> = {}): Started {
  const child = spawn("node", ["bootstrap.mjs", "local/start.ts", ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const pid = child.pid ?? 0;
  if (pid === 0) throw new Error("npm start did not start");
  const ended = once(child, "close").then(([code, signal]) => {
    groups.delete(pid);
    return code ?? signal;
  });
  groups.add(pid);
  let printed = "";
  const keep = (chunk: Buffer) => {
    printed += chunk;
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return { pid, printed: () => printed, ended };
}

/** Resolves when the station says that it is up; throws what it printed when it ends instead. */
async function up({ pid, printed }: Started): Promise<void> {
  await vi.waitUntil(() => !groups.has(pid) || printed().includes("Ctrl-C stops it."), { timeout: START_TIMEOUT_MS });
  expect(groups.has(pid), printed()).toBe(true);
}

/** Every process below the given one, itself included, with its command. */
function familyOf(pid: number): Map<number, string> {
  const family = new Map<number, string>();
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,comm="], { encoding: "utf8" }).trim().split("\n");
  const processes = lines.map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)?.slice(1) ?? []);
  const visit = (parent: number) => {
    for (const [child, ppid, command = ""] of processes) {
      if (Number(child) === parent) family.set(parent, command);
      if (Number(ppid) === parent) visit(Number(child));
    }
  };
  visit(pid);
  return family;
}

function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

const aliveOf = (family: Map<number, string>) => [...family].filter(([pid]) => kill(pid, 0)).map(([, name]) => name);
const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

describe("A station started from a terminal whose environment is full of real keys", () => {
  const key = "re_real_0123456789abcdef";
  let station: Started;
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "flux-start-"));
    station = npmStart(["--port", "0", "--home", home], {
      RESEND_API_KEY: key,
      RESEND_BASE_URL: "http://127.0.0.1:9",
      SUPABASE_URL: "http://127.0.0.1:9",
      SUPABASE_SERVICE_ROLE_KEY: key,
      BETTERSTACK_HEARTBEAT_ID: key,
      AWS_ENDPOINT_URL: "http://127.0.0.1:9",
      AWS_ACCESS_KEY_ID: key,
      AWS_SECRET_ACCESS_KEY: key,
      AWS_PROFILE: "production",
    });
    await up(station);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    kill(-station.pid, "SIGKILL");
    const scan = await scanStationLog(home, { secrets: [key], sentences: [] });
    await rm(home, { recursive: true, force: true });
    refuseLeaks(scan);
  });

  const description = async () => JSON.parse(await readFile(join(home, "local.json"), "utf8"));

  test("uses its stand-ins, and the keys appear nowhere", async () => {
    const { api, vendors, endpoints, credentials } = await description();
    const subscribed = await send(`${api}/email/subscribe`, { body: { email: "local@example.com" } });
    expect(subscribed.status).toBe(202);
    const outbox = async () =>
      (await send(`${vendors.resend}/_state?only=outbox&fields=to`)).json<{ outbox: unknown[] }>().outbox;
    await expect.poll(outbox, { timeout: 30_000 }).toEqual([{ to: ["local@example.com"] }]);
    await send(`${endpoints.control}/fire`, {
      body: { schedule: "prod-flux-onboarding-sequence" },
      headers: { "x-internal-secret": credentials.internalSecret },
    });
    const beats = async () => (await send(`${vendors.heartbeat}/_calls`)).json<unknown[]>();
    await expect.poll(async () => (await beats()).length, { timeout: 30_000 }).toBe(1);

    const calls = (await send(`${vendors.resend}/_calls`)).text + JSON.stringify(await beats());
    expect(calls).not.toContain(key);
    expect(station.printed()).not.toContain(key);
    for (const file of await readdir(home)) expect(await readFile(join(home, file), "utf8"), file).not.toContain(key);
  }, 60_000);

  test("keeps its credentials to its owner", async () => {
    for (const file of ["credentials.json", "local.json"])
      expect((await stat(join(home, file))).mode & 0o077, file).toBe(0);
  });

  test("refuses a second start in its home by its process, and goes on", async () => {
    const holder = await readFile(join(home, "station.pid"), "utf8");
    const second = npmStart(["--port", "0", "--home", home]);
    expect(await second.ended).toBe(1);
    expect(second.printed()).toContain(`A station is running already (process ${holder}).`);
    expect(second.printed()).toContain(join(home, "local.json"));
    expect((await send(`${(await description()).api}/health`)).status).toBe(200);
  }, 30_000);

  test("leaves no process, lock or description behind after Ctrl-C", async () => {
    const family = familyOf(station.pid);
    expect([...family.values()].filter((command) => command.includes("postgres"))).not.toEqual([]);
    kill(-station.pid, "SIGINT");
    expect(await station.ended).toBe(0);
    expect(station.printed()).toContain("Stopping...");
    expect(aliveOf(family)).toEqual([]);
    expect((await readdir(home)).toSorted()).toEqual(["credentials.json", "station.log"]);
  }, 30_000);
});

describe("A station whose processes are killed outright", () => {
  test(
    "can be started again in its home, and goes down with its first process",
    async () => {
      const home = await mkdtemp(join(tmpdir(), "flux-start-"));
      onTestFinished(() => rm(home, { recursive: true, force: true }));
      const first = npmStart(["--port", "0", "--home", home]);
      await up(first);
      const family = familyOf(first.pid);
      for (const pid of family.keys()) kill(pid, "SIGKILL");
      await expect.poll(() => aliveOf(family), { timeout: 20_000 }).toEqual([]);
      expect(await exists(join(home, "station.pid"))).toBe(true);

      const second = npmStart(["--port", "0", "--home", home]);
      await up(second);
      const secondFamily = familyOf(second.pid);
      expect([...secondFamily.values()].filter((command) => command.includes("postgres"))).not.toEqual([]);
      kill(second.pid, "SIGKILL");
      await expect.poll(() => aliveOf(secondFamily), { timeout: 20_000 }).toEqual([]);
      expect(await readdir(home)).toEqual(["credentials.json"]);
    },
    START_TIMEOUT_MS,
  );
});

describe("A station that cannot start", () => {
  /** Starts it in a folder of its own and answers what it printed. */
  async function failing(args: string[], home = "home"): Promise<{ printed: string; folder: string }> {
    const folder = await mkdtemp(join(tmpdir(), "flux-start-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, "file"), "");
    const station = npmStart([...args, "--home", join(folder, home)], {
      RESEND_API_KEY: "",
      BETTERSTACK_HEARTBEAT_ID: "",
    });
    expect(await station.ended, station.printed()).toBe(1);
    expect(station.printed(), "a stack tells the user nothing").not.toContain("    at ");
    return { printed: station.printed(), folder };
  }

  test(
    "because its port is taken says so and names the way out",
    async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      onTestFinished(() => void server.close());
      const address = server.address();
      const port = typeof address === "object" ? (address?.port ?? 0) : 0;
      const { printed, folder } = await failing(["--port", String(port)]);
      expect(printed).toContain(`Port ${port} is taken`);
      expect(printed).toContain("--port");
      expect(await exists(join(folder, "home", "station.pid"))).toBe(false);
    },
    START_TIMEOUT_MS,
  );

  test.each<[what: string, args: string[], said: RegExp[]]>([
    ["a vendor that does not exist", ["--live", "nonsense"], [/no vendor "nonsense"/, /resend, heartbeat/]],
    ["a live vendor without its key", ["--live", "resend"], [/--live resend/, /RESEND_API_KEY/]],
    [
      "several mistakes at once",
      ["--live", "nonsense", "--live", "resend", "--live", "heartbeat"],
      [/nonsense/, /RESEND_API_KEY/, /BETTERSTACK_HEARTBEAT_ID/],
    ],
    ["a port that is none", ["--port", "http"], [/--port/, /0.*65535/]],
    ["an option it does not know", ["--prot", "1"], [/--prot/]],
  ])("because of %s says what to do", async (_what, args, said) => {
    const { printed } = await failing(args);
    for (const text of said) expect(printed).toMatch(text);
  });

  test("because its home is a file names it", async () => {
    const { printed, folder } = await failing(["--port", "0"], "file");
    expect(printed).toContain(join(folder, "file"));
  });
});
