// The worker thread that is one Lambda execution environment: it loads a bundle and runs its handler, one request at
// a time. It is an entry point, started by execution-environment.ts.
import dns from "node:dns";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isNativeError } from "node:util/types";
import { parentPort, workerData } from "node:worker_threads";
import { installClock } from "../../clock.ts";
import { watchPendingWork } from "./pending-work.ts";
import type {
  InstallThreadHooks,
  InvokeFailure,
  ThreadHooks,
  ThreadReport,
  ThreadRequest,
  ThreadStart,
} from "./thread-messages.ts";

type Handler = (event: unknown, context: unknown) => unknown;

/** The limit for a synchronous response, as Lambda words it. */
const MAX_RESPONSE_BYTES = 6_291_556;

const start: ThreadStart = workerData;
const host = parentPort;
if (host === null) throw new Error("execution-thread.ts runs as a worker thread only.");
const report = (message: ThreadReport) => host.postMessage(message);

let currentRequestId: string | undefined;

/**
 * The SDK puts `sync-` before the host for StartSyncExecution. On AWS that host exists; here it is given the address
 * of the one without it.
 */
function resolveSyncHosts(): void {
  const lookup = dns.lookup;
  const withoutPrefix = (host: string) => (/^sync-127(\.\d+){3}$/.test(host) ? host.slice("sync-".length) : host);
  dns.lookup = new Proxy(lookup, {
    apply: (target, self, [host, ...rest]) => Reflect.apply(target, self, [withoutPrefix(String(host)), ...rest]),
  });
}

function captureLines(stream: NodeJS.WriteStream): void {
  let rest = "";
  stream.write = (
    chunk: string | Uint8Array,
    encodingOrDone?: BufferEncoding | ((error?: Error | null) => void),
    done?: (error?: Error | null) => void,
  ) => {
    const lines = (rest + (typeof chunk === "string" ? chunk : Buffer.from(chunk).toString())).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) report({ kind: "log", line, requestId: currentRequestId });
    const callback = typeof encodingOrDone === "function" ? encodingOrDone : done;
    if (callback !== undefined) process.nextTick(callback);
    return true;
  };
}

async function loadHooks(): Promise<ThreadHooks | undefined> {
  if (!start.hooks) return undefined;
  const { installHooks }: { installHooks: InstallThreadHooks } = await import(start.hooks.url);
  const { data } = start.hooks;
  return installHooks({
    data,
    functionName: start.functionName,
    report: (told) => report({ kind: "hook", told }),
  });
}

async function loadHandler(): Promise<Handler> {
  const dot = start.handler.lastIndexOf(".");
  const base = join(start.assetDir, start.handler.slice(0, dot));
  const name = start.handler.slice(dot + 1);
  const file = [".mjs", ".cjs", ".js"].map((extension) => base + extension).find((path) => existsSync(path));
  if (file === undefined) throw named("Runtime.ImportModuleError", `No ${base}.mjs, .cjs or .js in the bundle.`);
  const bundle: Record<string, unknown> = await import(pathToFileURL(file).href);
  const handler = bundle[name];
  if (!isHandler(handler)) throw named("Runtime.HandlerNotFound", `${start.handler} is undefined or not exported`);
  // The Node 24 runtime refuses (event, context, callback) handlers.
  if (handler.length >= 3) throw named("Runtime.CallbackHandlerDeprecated", `${start.handler} takes a callback.`);
  return handler;
}

function isHandler(value: unknown): value is Handler {
  return typeof value === "function";
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

function failureOf(thrown: unknown): InvokeFailure {
  if (isNativeError(thrown)) {
    return { ok: false, errorType: thrown.name, errorMessage: thrown.message, stack: (thrown.stack ?? "").split("\n") };
  }
  return { ok: false, errorType: typeof thrown, errorMessage: String(thrown), stack: [] };
}

async function run(handler: Handler, request: ThreadRequest): Promise<{ ok: true; json: string } | InvokeFailure> {
  const receivedAt = performance.now();
  const context = {
    awsRequestId: request.requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: start.functionName,
    functionVersion: "$LATEST",
    getRemainingTimeInMillis: () => Math.max(0, Math.round(request.timeoutMs - (performance.now() - receivedAt))),
    invokedFunctionArn: request.functionArn,
    logGroupName: `/aws/lambda/${start.functionName}`,
    logStreamName: "local",
    memoryLimitInMB: String(start.memoryMb),
  };
  const event: unknown = JSON.parse(request.event);
  hooks?.invoked(event);
  let result: unknown;
  try {
    result = await handler(event, context);
  } catch (thrown) {
    return failureOf(thrown);
  }
  hooks?.answering();
  let json: string;
  try {
    json = JSON.stringify(result) ?? "null";
  } catch {
    return { ok: false, errorType: "Error", errorMessage: "Unable to stringify response body" };
  }
  if (Buffer.byteLength(json) > MAX_RESPONSE_BYTES) {
    return {
      ok: false,
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
    };
  }
  return { ok: true, json };
}

const hooks = await loadHooks();
installClock(start.clockBuffer, hooks?.clockSkewMs);
resolveSyncHosts();
captureLines(process.stdout);
captureLines(process.stderr);
const pendingWork = watchPendingWork();

try {
  const handler = await loadHandler();
  host.on("message", async (request: ThreadRequest) => {
    currentRequestId = request.requestId;
    const response = await run(handler, request);
    const pending = await pendingWork.afterResponse();
    report({ kind: "settled", response, pending });
    currentRequestId = undefined;
  });
  report({ kind: "ready" });
} catch (thrown) {
  report({ kind: "initFailed", failure: failureOf(thrown) });
}
