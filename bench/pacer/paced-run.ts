import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { startDynamoDb } from "../../local/aws/dynamodb.ts";
import { fromChild, type WorkerReport, type WorkerTask } from "./messages.ts";
import { tableName } from "./settings.ts";
import { usedShare } from "./used-share.ts";

export interface PacedRun {
  /** Requests per second that the stand-in allows. */
  limit: number;
  /** A limit that takes its place after `afterSeconds`. */
  cut?: { limit: number; afterSeconds: number };
  seconds: number;
  /** What is not measured in the beginning. Refusals count from the first call on. */
  warmUpSeconds: number;
  /** Calls that each bulk worker makes at a time. */
  inHand: number;
  processes?: number;
  /** One more process sends an urgent mail now and then. */
  urgent?: boolean;
  seed?: number;
}

export interface PacedResult {
  calls: number;
  /** Answers 429, from the first call to the last. */
  refused: number;
  /** Calls per call allowed, over whole windows after the warm-up and before a cut. */
  usedShare: number;
  deferred: number;
  /** Longest time that a worker was kept from its work. Beyond the jitter, calls are spread wider than the pacer allows for. */
  stallMs: number;
  bulkWaitMs: Spread;
  urgentWaitMs: Spread;
}

export interface Spread {
  count: number;
  median: number;
  p99: number;
  max: number;
}

const loggedCalls = z.array(
  z.object({ at: z.string().transform((at) => Date.parse(at)), status: z.number().nullable() }),
);

/** Worker processes that send without end, at a stand-in that refuses what is beyond its limit. */
export async function runPaced(run: PacedRun): Promise<PacedResult> {
  const { processes = 8, seed = 1 } = run;
  const children: ChildProcess[] = [];
  const dynamo = await startDynamoDb({ tables: [{ name: tableName, properties: stateTable }] });
  try {
    const vendor = startChild(children, "vendor.ts");
    const resendUrl = await readyOf(vendor);
    const setLimit = (limit: number) =>
      fetch(`${resendUrl}/_faults`, { method: "PUT", body: JSON.stringify({ limit }) });
    await setLimit(run.limit);

    const common = { tableUrl: dynamo.url, resendUrl, jitterMs: 20 };
    const tasks: WorkerTask[] = Array.from({ length: processes }, (_, index) => ({
      ...common,
      seed: seed * 100 + index,
      urgency: "bulk",
      inHand: run.inHand,
      pauseMs: 0,
    }));
    if (run.urgent) tasks.push({ ...common, seed: seed * 100 + 99, urgency: "urgent", inHand: 1, pauseMs: 2500 });
    const workers = tasks.map((task) => startChild(children, "worker.ts", JSON.stringify(task)));
    await Promise.all(workers.map(readyOf));

    const startMs = Date.now();
    for (const worker of workers) worker.send("go");
    if (run.cut) {
      await sleep(run.cut.afterSeconds * 1000);
      await setLimit(run.cut.limit);
    }
    await sleep(startMs + run.seconds * 1000 - Date.now());
    const reports = await Promise.all(workers.map(stop));
    const calls = loggedCalls.parse(await (await fetch(`${resendUrl}/_calls`)).json());
    return resultOf(run, { startMs, calls, tasks, reports });
  } finally {
    await Promise.all(children.map(end));
    await dynamo.close();
  }
}

function resultOf(
  run: PacedRun,
  seen: { startMs: number; calls: z.infer<typeof loggedCalls>; tasks: WorkerTask[]; reports: WorkerReport[] },
): PacedResult {
  const { startMs, calls, tasks, reports } = seen;
  const failures = reports.flatMap((report) => report.failures);
  if (failures.length > 0) throw new Error(`${failures.length} calls of the bench failed, the first: ${failures[0]}`);
  const fromMs = startMs + run.warmUpSeconds * 1000;
  const waitsOf = (urgency: WorkerTask["urgency"]) =>
    spreadOf(
      reports
        .filter((_, index) => tasks[index]?.urgency === urgency)
        .flatMap(({ waits }) =>
          waits.filter(({ askedMs, waitedMs }) => askedMs + waitedMs >= fromMs).map(({ waitedMs }) => waitedMs),
        ),
    );
  const untilMs = run.cut ? startMs + run.cut.afterSeconds * 1000 : Number.POSITIVE_INFINITY;
  return {
    calls: calls.length,
    refused: calls.filter(({ status }) => status === 429).length,
    usedShare: usedShare(
      calls.filter(({ status, at }) => status !== 429 && at < untilMs).map(({ at }) => at),
      run.limit,
      fromMs,
    ),
    deferred: reports.reduce((sum, { deferred }) => sum + deferred, 0),
    stallMs: Math.max(...reports.map(({ stallMs }) => stallMs)),
    bulkWaitMs: waitsOf("bulk"),
    urgentWaitMs: waitsOf("urgent"),
  };
}

function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: sorted.length, median: at(0.5), p99: at(0.99), max: at(1) };
}

function startChild(children: ChildProcess[], file: string, ...args: string[]): ChildProcess {
  const { PATH, STATION_RECORD } = process.env;
  const child = fork(join(import.meta.dirname, file), args, {
    env: { PATH, POWERTOOLS_LOG_LEVEL: "SILENT", ...(STATION_RECORD ? { STATION_RECORD } : {}) },
    execArgv: [],
  });
  children.push(child);
  return child;
}

async function readyOf(child: ChildProcess): Promise<string> {
  const message = await messageOf(child);
  if ("ready" in message) return message.ready;
  throw new Error("a process of the bench reported before it was ready");
}

async function stop(worker: ChildProcess): Promise<WorkerReport> {
  worker.send("stop");
  const message = await messageOf(worker);
  if ("waits" in message) return message;
  throw new Error("a worker of the bench ended without a report");
}

async function messageOf(child: ChildProcess) {
  const ended = new AbortController();
  try {
    const [message] = await Promise.race([
      once(child, "message", { signal: ended.signal }),
      once(child, "exit", { signal: ended.signal }).then(([code]) => {
        throw new Error(`a process of the bench ended with ${code}`);
      }),
    ]);
    return fromChild.parse(message);
  } finally {
    ended.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

const stateTable: Parameters<typeof startDynamoDb>[0]["tables"][number]["properties"] = {
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
  ],
  BillingMode: "PAY_PER_REQUEST",
};
