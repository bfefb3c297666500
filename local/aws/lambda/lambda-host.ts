import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { checkEnvironment, type LambdaFunction } from "./environment-variables.ts";
import { type ExecutionEnvironment, startEnvironment } from "./execution-environment.ts";
import type { Invoke, InvokeOutcome } from "./invoke.ts";
import type { ThreadHookModule } from "./thread-messages.ts";

/** Lambda's quota for the payload of a synchronous invocation: 6 MB. */
const MAX_REQUEST_BYTES = 6_291_456;

export interface LambdaHostOptions {
  functions: LambdaFunction[];
  /** Set on top of each function's own environment: endpoints of this machine. */
  extraEnvironment: Record<string, string>;
  clockBuffer: SharedArrayBuffer;
  /** Each line a function writes; without a requestId it was written outside a request. */
  onLog(line: string, origin: { functionName: string; requestId: string | undefined }): void;
  /** Environments at once per function without a reserved concurrency. Default 10. */
  functionConcurrency?: number;
  /** Environments at once of all functions. Default 40. */
  accountConcurrency?: number;
  /** Default 10,000, as on Lambda. */
  initTimeoutMs?: number;
  threadUrl?: URL;
  /** Loaded into every thread before its bundle. */
  hooks?: ThreadHookModule;
  /** What the hooks of a function's thread tell. */
  onHook?(told: unknown): void;
}

export interface LambdaHost {
  /** Takes a function's ARN or name. When all environments are busy it waits, first come, first served. */
  invoke: Invoke;
  /** How many execution environments were started so far, per function name. */
  coldStarts(): ReadonlyMap<string, number>;
  /** Invocations that wait or run now. */
  inFlight(): number;
  /** Ends all threads; what is under way ends as Runtime.ExitError. */
  close(): Promise<void>;
}

interface Pool {
  fn: LambdaFunction;
  limit: number;
  environments: Set<ExecutionEnvironment>;
  /** Free and warm, the last used at the end. */
  idle: ExecutionEnvironment[];
}

/**
 * Loading a bundle of a megabyte makes garbage. With so much room for it a cold start took 147 ms of processor time
 * instead of 190 (medians of three runs, Node 24, two cores).
 */
setFlagsFromString("--min-semi-space-size=16");

/** Runs functions in worker threads of this process. Throws when a function's environment is one Lambda would refuse. */
export function createLambdaHost(options: LambdaHostOptions): LambdaHost {
  const functionConcurrency = options.functionConcurrency ?? 10;
  const accountConcurrency = options.accountConcurrency ?? 40;
  const pools = new Map<string, Pool>();
  for (const fn of options.functions) {
    checkEnvironment(fn);
    const pool: Pool = { fn, limit: fn.reservedConcurrency ?? functionConcurrency, environments: new Set(), idle: [] };
    pools.set(fn.arn, pool);
    pools.set(fn.name, pool);
  }
  const coldStarts = new Map<string, number>();
  const waiting: { pool: Pool; grant(environment: ExecutionEnvironment | undefined): void }[] = [];
  let running = 0;
  let inFlight = 0;
  let closed = false;

  const start = (pool: Pool): ExecutionEnvironment => {
    const environment = startEnvironment({
      fn: pool.fn,
      extraEnvironment: options.extraEnvironment,
      clockBuffer: options.clockBuffer,
      initTimeoutMs: options.initTimeoutMs ?? 10_000,
      onLog: (line, requestId) => options.onLog(line, { functionName: pool.fn.name, requestId }),
      ...(options.threadUrl ? { threadUrl: options.threadUrl } : {}),
      ...(options.hooks ? { hooks: options.hooks } : {}),
      onHook: (told) => options.onHook?.(told),
    });
    pool.environments.add(environment);
    running += 1;
    coldStarts.set(pool.fn.name, (coldStarts.get(pool.fn.name) ?? 0) + 1);
    return environment;
  };

  const forget = (pool: Pool, environment: ExecutionEnvironment) => {
    if (pool.environments.delete(environment)) running -= 1;
    pool.idle = pool.idle.filter((other) => other !== environment);
  };

  const makeRoom = (): boolean => {
    for (const pool of pools.values()) {
      const [oldest] = pool.idle;
      if (oldest === undefined) continue;
      forget(pool, oldest);
      void oldest.end();
      return true;
    }
    return false;
  };

  const take = (pool: Pool): ExecutionEnvironment | undefined => {
    for (let warm = pool.idle.pop(); warm !== undefined; warm = pool.idle.pop()) {
      if (warm.state() === "idle") return warm;
      forget(pool, warm);
    }
    if (pool.environments.size >= pool.limit) return undefined;
    if (running >= accountConcurrency && !makeRoom()) return undefined;
    return start(pool);
  };

  const release = (pool: Pool, environment: ExecutionEnvironment) => {
    if (environment.state() === "idle") pool.idle.push(environment);
    else forget(pool, environment);
    for (const waiter of [...waiting]) {
      const free = closed ? undefined : take(waiter.pool);
      if (free === undefined && !closed) continue;
      waiting.splice(waiting.indexOf(waiter), 1);
      waiter.grant(free);
    }
  };

  const environmentFor = (pool: Pool): Promise<ExecutionEnvironment | undefined> | ExecutionEnvironment => {
    const free = take(pool);
    if (free !== undefined) return free;
    const { promise, resolve } = Promise.withResolvers<ExecutionEnvironment | undefined>();
    waiting.push({ pool, grant: resolve });
    return promise;
  };

  const invoke: Invoke = async (functionArn, payload) => {
    const pool = pools.get(functionArn);
    if (pool === undefined) return failure("ResourceNotFoundException", `Function not found: ${functionArn}`);
    if (closed) return failure("Runtime.ExitError", "The station is stopping.");
    if (pool.limit === 0)
      return failure("TooManyRequestsException", `${pool.fn.name} has a reserved concurrency of 0.`);
    const event = JSON.stringify(payload) ?? "{}";
    const bytes = Buffer.byteLength(event);
    if (bytes > MAX_REQUEST_BYTES) {
      return failure(
        "RequestEntityTooLargeException",
        `${bytes} byte payload is too large for the RequestResponse invocation type (limit ${MAX_REQUEST_BYTES} bytes)`,
      );
    }
    inFlight += 1;
    try {
      const environment = await environmentFor(pool);
      if (environment === undefined) return failure("Runtime.ExitError", "The station is stopping.");
      try {
        return await environment.invoke(randomUUID(), event);
      } finally {
        release(pool, environment);
      }
    } finally {
      inFlight -= 1;
    }
  };

  return {
    invoke,
    coldStarts: () => coldStarts,
    inFlight: () => inFlight,
    close: async () => {
      closed = true;
      for (const waiter of waiting.splice(0)) waiter.grant(undefined);
      const all = [...new Set(pools.values())].flatMap((pool) => [...pool.environments]);
      await Promise.all(all.map((environment) => environment.end()));
    },
  };
}

function failure(errorType: string, errorMessage: string): InvokeOutcome {
  return { ok: false, errorType, errorMessage };
}
