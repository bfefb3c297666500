import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** What `local/start.ts` tells of a station that is up; also the content of `.station/local.json`. */
const published = z.object({
  api: z.string(),
  endpoints: z.object({
    sqs: z.string(),
    dynamodb: z.string(),
    stepfunctions: z.string(),
    secretsmanager: z.string(),
    lambda: z.string(),
    supabase: z.string(),
    postgres: z.string(),
    control: z.string(),
  }),
  vendors: z.record(z.string(), z.string()),
  credentials: z.object({
    internalSecret: z.string(),
    anonKey: z.string(),
    serviceRoleKey: z.string(),
    jwtSecret: z.string(),
    userSigningKey: z.string(),
    webhookSecrets: z.object({
      resend: z.string(),
      polar: z.string(),
      vercel: z.string(),
      authHook: z.string(),
      database: z.string(),
    }),
  }),
});
export type PublishedStation = z.infer<typeof published>;

const readyMessage = z.object({ ready: published });

const queueTally = z.object({
  received: z.int(),
  done: z.int(),
  suppressed: z.int(),
  parked: z.int(),
  deferred: z.int(),
  failing: z.int(),
  invalid: z.int(),
});

const report = z.object({
  now: z.string(),
  queues: z.record(z.string(), queueTally),
  /** Warnings and errors of the functions, by code. */
  troubles: z.record(z.string(), z.int()),
  pending: z.record(z.string(), z.int()),
  deadLetters: z.record(z.string(), z.int()),
  /** Messages by queue on hold. */
  held: z.record(z.string(), z.int()),
  operations: z.record(z.string(), z.int()),
});
export type StationReport = z.infer<typeof report>;

/** A station in a process of its own, with its own home and free ports: several can run side by side. */
export interface StationProcess extends PublishedStation {
  pid: number;
  home: string;
  /** Moves the station's time forward, firing each schedule on the way; answers what was fired. */
  advance(ms: number): Promise<string[]>;
  /** Fires a schedule as if it were `at` (ISO), by default now. */
  fire(schedule: string, at?: string): Promise<void>;
  /** Waits until nothing is queued, delayed, hidden or running. */
  quiet(waitMs?: number): Promise<void>;
  report(): Promise<StationReport>;
  stop(): Promise<void>;
}

export interface StationProcessOptions {
  /** Another assembly than `cdk.out`. */
  assemblyDir?: string;
  /** Where every exchange with a vendor is written. */
  recordTo?: string;
  /** Whether it can be told to fail, see `local/chaos`. */
  chaos?: boolean;
  /** Called with the home once the process has ended, before the home is removed. */
  onStopped?: (home: string) => Promise<void>;
}

/** Variables that a station may see of the environment it is started from: none that could hold a vendor's key. */
const passedOn = ["PATH", "HOME", "TMPDIR", "LANG", "CI"];

export async function startStationProcess(options: StationProcessOptions = {}): Promise<StationProcess> {
  const home = await mkdtemp(join(tmpdir(), "flux-station-"));
  const environment = Object.fromEntries(
    passedOn.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  const child = fork(
    join(import.meta.dirname, "start.ts"),
    [
      ...["--quiet", "--port", "0", "--home", home],
      ...(options.assemblyDir ? ["--assembly", options.assemblyDir] : []),
      ...(options.chaos ? ["--chaos"] : []),
    ],
    {
      env: {
        ...environment,
        TZ: "UTC",
        ...(options.recordTo ? { STATION_RECORD: options.recordTo } : {}),
        // Functions that die all the time are compiled all the time.
        ...(options.chaos ? { NODE_COMPILE_CACHE: join(home, "compiled") } : {}),
      },
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    },
  );
  let printed = "";
  child.stderr?.on("data", (chunk) => {
    printed += chunk;
  });
  const station = await Promise.race([
    once(child, "message").then(([message]) => readyMessage.parse(message).ready),
    once(child, "exit").then(() => {
      throw new Error(`The station did not start.\n${printed}`);
    }),
  ]);

  const control = async (method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${station.endpoints.control}${path}`, {
      method,
      headers: { "content-type": "application/json", "x-internal-secret": station.credentials.internalSecret },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`The station could not ${path.slice(1)}: ${JSON.stringify(answer)}`);
    return answer;
  };
  return {
    ...station,
    pid: child.pid ?? 0,
    home,
    advance: async (ms) =>
      z.object({ fired: z.array(z.string()) }).parse(await control("POST", "/advance", { ms })).fired,
    fire: async (schedule, at) => {
      await control("POST", "/fire", { schedule, ...(at ? { at } : {}) });
    },
    quiet: async (waitMs = 60_000) => {
      await control("POST", "/quiet", { waitMs });
    },
    report: async () => report.parse(await control("GET", "/report")),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        await exited;
      }
      try {
        await options.onStopped?.(home);
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    },
  };
}
