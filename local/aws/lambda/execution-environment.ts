import { Worker } from "node:worker_threads";
import { functionEnvironment, type LambdaFunction } from "./environment-variables.ts";
import type { InvokeOutcome } from "./invoke.ts";
import type { ThreadHookModule, ThreadReport, ThreadRequest, ThreadStart } from "./thread-messages.ts";

export interface EnvironmentOptions {
  fn: LambdaFunction;
  extraEnvironment: Record<string, string>;
  clockBuffer: SharedArrayBuffer;
  /** Lambda gives the init phase 10 s. */
  initTimeoutMs: number;
  onLog(line: string, requestId: string | undefined): void;
  /** Another file than `execution-thread.ts`, such as the same without types. */
  threadUrl?: URL;
  hooks?: ThreadHookModule;
  /** What the hooks tell. */
  onHook?(told: unknown): void;
}

/** One worker thread that serves one request at a time: starting, idle or busy, ended. */
export interface ExecutionEnvironment {
  state(): "starting" | "idle" | "busy" | "ended";
  /** Runs one request, after the init phase if need be. Only one may be under way. Never rejects. */
  invoke(requestId: string, event: string): Promise<InvokeOutcome>;
  /** Ends the thread; a request under way ends as Runtime.ExitError. Resolves when the thread is gone. */
  end(): Promise<void>;
}

/** Starts the thread and its init phase at once: this is the cold start. */
export function startEnvironment(options: EnvironmentOptions): ExecutionEnvironment {
  const { fn } = options;
  const start: ThreadStart = {
    functionName: fn.name,
    memoryMb: fn.memoryMb,
    assetDir: fn.assetDir,
    handler: fn.handler,
    clockBuffer: options.clockBuffer,
    ...(options.hooks ? { hooks: options.hooks } : {}),
  };
  const thread = new Worker(options.threadUrl ?? new URL("./execution-thread.ts", import.meta.url), {
    workerData: start,
    env: functionEnvironment(fn, options.extraEnvironment),
    execArgv: ["--enable-source-maps", "--disable-warning=ExperimentalWarning"],
    resourceLimits: { maxOldGenerationSizeMb: fn.memoryMb },
    stdout: true,
    stderr: true,
    name: fn.name,
  });

  let state: ReturnType<ExecutionEnvironment["state"]> = "starting";
  let current: { requestId: string; settle(outcome: InvokeOutcome): void } | undefined;
  let crash: unknown;
  const ready = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<void>();

  const settle = (outcome: InvokeOutcome) => {
    current?.settle(outcome);
    current = undefined;
  };
  const end = () => {
    state = "ended";
    void thread.terminate();
    return exited.promise;
  };

  thread.on("message", (report: ThreadReport) => {
    switch (report.kind) {
      case "ready":
        ready.resolve();
        break;
      case "log":
        options.onLog(report.line, report.requestId);
        break;
      case "hook":
        options.onHook?.(report.told);
        break;
      case "initFailed":
        settle(report.failure);
        void end();
        break;
      case "settled":
        settle(settledOutcome(report));
        if (report.pending.length > 0) void end();
        break;
    }
  });
  // What the thread writes past its own stream objects, such as Node's fatal errors.
  for (const stream of [thread.stdout, thread.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.split("\n")) if (line !== "") options.onLog(line, current?.requestId);
    });
  }
  thread.on("error", (error) => {
    crash = error;
  });
  thread.on("exit", (code) => {
    state = "ended";
    const cause = crash instanceof Error ? `: ${crash.stack ?? crash.message}` : "";
    if (cause !== "") options.onLog(`The execution environment died${cause}`, current?.requestId);
    settle({
      ok: false,
      errorType: "Runtime.ExitError",
      errorMessage: `RequestId: ${current?.requestId} Error: Runtime exited with error: exit status ${code}${crash instanceof Error ? ` (${crash.message})` : ""}`,
    });
    ready.resolve();
    exited.resolve();
  });

  const invoke = async (requestId: string, event: string): Promise<InvokeOutcome> => {
    const outcome = Promise.withResolvers<InvokeOutcome>();
    current = { requestId, settle: outcome.resolve };
    const timeOut = (limitMs: number) =>
      setTimeout(() => {
        settle({
          ok: false,
          errorType: "Sandbox.Timedout",
          errorMessage: `RequestId: ${requestId} Error: Task timed out after ${(limitMs / 1000).toFixed(2)} seconds`,
        });
        void end();
      }, limitMs);

    if (state === "starting") {
      const initTimer = timeOut(options.initTimeoutMs);
      await Promise.race([ready.promise, outcome.promise]);
      clearTimeout(initTimer);
    }
    if (current === undefined) return outcome.promise;
    state = "busy";
    const timeoutMs = fn.timeoutSeconds * 1000;
    const timer = timeOut(timeoutMs);
    const request: ThreadRequest = { requestId, functionArn: fn.arn, timeoutMs, event };
    thread.postMessage(request);
    const settled = await outcome.promise;
    clearTimeout(timer);
    if (state === "busy") state = "idle";
    return settled;
  };

  return { state: () => state, invoke, end };
}

function settledOutcome({ response, pending }: Extract<ThreadReport, { kind: "settled" }>): InvokeOutcome {
  if (!response.ok) return response;
  if (pending.length > 0) {
    const kinds = [...new Set(pending)].join(", ");
    return {
      ok: false,
      errorType: "PendingWorkAfterResponse",
      errorMessage: `The handler answered while work was still pending (${kinds}). Lambda freezes the function there, so await everything or cancel it.`,
    };
  }
  return { ok: true, payload: JSON.parse(response.json) };
}
