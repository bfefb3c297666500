import { createServer, type RequestListener } from "node:http";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { localArn } from "../../local/assembly/resource-attributes.ts";
import type { LambdaFunction } from "../../local/aws/lambda/environment-variables.ts";
import { createLambdaHost, type LambdaHost, type LambdaHostOptions } from "../../local/aws/lambda/lambda-host.ts";
import { clockOver, createClockBuffer } from "../../local/clock.ts";

// Starting threads is slow on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Line {
  line: string;
  functionName: string;
  requestId: string | undefined;
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

function startHost(
  functions: (Partial<LambdaFunction> & { handler: string })[],
  options: Partial<LambdaHostOptions> = {},
): { host: LambdaHost; lines: Line[] } {
  const lines: Line[] = [];
  const host = createLambdaHost({
    functions: functions.map((fn) => {
      const name = fn.name ?? fn.handler.replace("index.", "");
      return {
        name,
        arn: localArn("lambda", `function:${name}`),
        assetDir: fixture("lambda-cases"),
        timeoutSeconds: 10,
        memoryMb: 128,
        environment: {},
        ...fn,
      };
    }),
    extraEnvironment: {},
    clockBuffer: createClockBuffer(),
    onLog: (line, origin) => lines.push({ line, ...origin }),
    ...options,
  });
  cleanups.push(host.close);
  return { host, lines };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}/`;
}

const answer: RequestListener = (_request, response) => response.end("{}");
const neverAnswer: RequestListener = () => {};

describe("an invocation", () => {
  it("hands the event over as JSON and gives the answer back as JSON", async () => {
    const { host } = startHost([{ handler: "index.echo" }, { handler: "index.nothing" }]);
    const payload = { at: new Date(0), list: [1, undefined] };
    expect(await host.invoke(localArn("lambda", "function:echo"), payload)).toEqual({
      ok: true,
      payload: { at: "1970-01-01T00:00:00.000Z", list: [1, null] },
    });
    expect(await host.invoke("nothing", {})).toEqual({ ok: true, payload: null });
  });

  it("gives the handler Lambda's context", async () => {
    const { host } = startHost([{ handler: "index.describe", timeoutSeconds: 4, memoryMb: 256 }]);
    const outcome = await host.invoke("describe", {});
    if (!outcome.ok) throw new Error(outcome.errorMessage);
    expect(outcome.payload).toMatchObject({
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      functionName: "describe",
      functionVersion: "$LATEST",
      invokedFunctionArn: localArn("lambda", "function:describe"),
      memoryLimitInMB: "256",
    });
    expect(outcome.payload).toHaveProperty("remainingMs", expect.closeTo(4000, -3));
  });

  it("fails with the name and message of what the handler threw", async () => {
    const { host } = startHost([{ handler: "index.fail" }]);
    expect(await host.invoke("fail", {})).toMatchObject({
      ok: false,
      errorType: "ContactMissing",
      errorMessage: "no such contact",
      stack: expect.arrayContaining([expect.stringContaining("fixtures/lambda-cases/index.mjs")]),
    });
  });

  it("fails when the answer is not JSON", async () => {
    const { host } = startHost([{ handler: "index.circular" }]);
    expect(await host.invoke("circular", {})).toMatchObject({ errorMessage: "Unable to stringify response body" });
  });

  it("takes 6 MB either way and not a byte more", async () => {
    const { host } = startHost([{ handler: "index.large" }, { handler: "index.nothing" }]);
    const quotes = 2;
    expect(await host.invoke("large", { bytes: 6_291_556 - quotes })).toMatchObject({ ok: true });
    expect(await host.invoke("large", { bytes: 6_291_556 - quotes + 1 })).toMatchObject({
      errorType: "Function.ResponseSizeTooLarge",
    });
    expect(await host.invoke("nothing", "x".repeat(6_291_456 - quotes))).toMatchObject({ ok: true });
    expect(await host.invoke("nothing", "x".repeat(6_291_456 - quotes + 1))).toMatchObject({
      errorType: "RequestEntityTooLargeException",
    });
  });

  it("names a function that does not exist", async () => {
    const { host } = startHost([{ handler: "index.echo" }]);
    expect(await host.invoke("nobody", {})).toMatchObject({
      errorType: "ResourceNotFoundException",
      errorMessage: "Function not found: nobody",
    });
  });
});

describe("the environment of a function", () => {
  it("holds the template's variables, this machine's and Lambda's own, and nothing of the parent process", async () => {
    const { host } = startHost(
      [{ handler: "index.environment", environment: { TABLE: "state", NODE_OPTIONS: "--enable-source-maps" } }],
      { extraEnvironment: { AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:9324" } },
    );
    const outcome = await host.invoke("environment", {});
    if (!outcome.ok) throw new Error(outcome.errorMessage);
    expect(outcome.payload).toMatchObject({
      TABLE: "state",
      AWS_ENDPOINT_URL_SQS: "http://127.0.0.1:9324",
      AWS_REGION: "us-east-1",
      AWS_LAMBDA_FUNCTION_NAME: "environment",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
      AWS_ACCESS_KEY_ID: "local",
    });
    expect(outcome.payload).not.toHaveProperty("PATH");
    expect(outcome.payload).not.toHaveProperty("VITEST");
  });

  it("may have 4 KB as one JSON object, and no more", () => {
    const overhead = JSON.stringify({ TEXT: "" }).length;
    const environment = (bytes: number) => ({ TEXT: "x".repeat(bytes - overhead) });
    expect(() => startHost([{ handler: "index.echo", environment: environment(4096) }])).not.toThrow();
    expect(() => startHost([{ handler: "index.echo", environment: environment(4097) }])).toThrow(
      "function echo is 4097 bytes; Lambda takes 4096",
    );
  });

  it("may not set what Lambda reserves", () => {
    const environment = { AWS_REGION: "eu-west-1", "NOT-A-NAME": "x" };
    expect(() => startHost([{ handler: "index.echo", environment }])).toThrow("AWS_REGION, NOT-A-NAME");
  });

  it("follows the station's clock", async () => {
    const clockBuffer = createClockBuffer();
    const { host } = startHost([{ handler: "index.date" }], { clockBuffer });
    await host.invoke("date", {});
    clockOver(clockBuffer).advance(86_400_000);
    const outcome = await host.invoke("date", {});
    if (!outcome.ok) throw new Error(outcome.errorMessage);
    expect(outcome.payload).toHaveProperty("now", expect.closeTo(Date.now() + 86_400_000, -4));
    expect(host.coldStarts().get("date")).toBe(1);
  });
});

describe("execution environments", () => {
  it("are reused while free and added while busy, each serving one request at a time", async () => {
    const { host } = startHost([{ handler: "index.count" }]);
    expect(await host.invoke("count", {})).toEqual({ ok: true, payload: 1 });
    expect(await host.invoke("count", {})).toEqual({ ok: true, payload: 2 });
    const both = await Promise.all([host.invoke("count", { waitMs: 50 }), host.invoke("count", { waitMs: 50 })]);
    expect(both).toEqual([
      { ok: true, payload: 3 },
      { ok: true, payload: 1 },
    ]);
    expect(host.coldStarts().get("count")).toBe(2);
  });

  it("stop at the function's reserved concurrency; what comes then waits its turn", async () => {
    const { host } = startHost([{ handler: "index.count", reservedConcurrency: 1 }]);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => host.invoke("count", { waitMs: 5 })));
    expect(outcomes).toEqual([1, 2, 3, 4].map((payload) => ({ ok: true, payload })));
    expect(host.coldStarts().get("count")).toBe(1);
    expect(host.inFlight()).toBe(0);
  });

  it("stop at the account's concurrency, where a free one makes room for another function", async () => {
    const { host } = startHost([{ handler: "index.count" }, { handler: "index.echo" }], { accountConcurrency: 1 });
    await host.invoke("count", {});
    expect(await host.invoke("echo", 1)).toEqual({ ok: true, payload: 1 });
    expect(await host.invoke("count", {})).toEqual({ ok: true, payload: 1 });
    const mixed = await Promise.all([host.invoke("count", { waitMs: 20 }), host.invoke("echo", 2)]);
    expect(mixed).toEqual([
      { ok: true, payload: 2 },
      { ok: true, payload: 2 },
    ]);
  });

  it("refuse every request at a reserved concurrency of 0", async () => {
    const { host } = startHost([{ handler: "index.count", reservedConcurrency: 0 }]);
    expect(await host.invoke("count", {})).toMatchObject({ errorType: "TooManyRequestsException" });
  });

  it("end with their requests when the host closes", async () => {
    const { host } = startHost([{ handler: "index.sleepLong", reservedConcurrency: 1 }]);
    const running = host.invoke("sleepLong", {});
    const waiting = host.invoke("sleepLong", {});
    await host.close();
    expect(await running).toMatchObject({ errorType: "Runtime.ExitError" });
    expect(await waiting).toMatchObject({ errorType: "Runtime.ExitError" });
    expect(await host.invoke("sleepLong", {})).toMatchObject({ errorType: "Runtime.ExitError" });
  });
});

describe("a function that misbehaves", () => {
  it.each(["sleepLong", "spin"])("is ended at its timeout (%s), and the next request starts afresh", async (name) => {
    const { host } = startHost([{ handler: `index.${name}`, timeoutSeconds: 0.2 }]);
    for (const coldStarts of [1, 2]) {
      expect(await host.invoke(name, {})).toMatchObject({
        errorType: "Sandbox.Timedout",
        errorMessage: expect.stringContaining("Task timed out after 0.20 seconds"),
      });
      expect(host.coldStarts().get(name)).toBe(coldStarts);
    }
  });

  it.each([
    ["exit", "exit status 3"],
    ["rejectUnhandled", "nobody caught this"],
    ["hoard", "memory limit"],
  ])("takes down its own environment only (%s)", async (name, reason) => {
    const { host } = startHost([{ handler: `index.${name}`, memoryMb: 48 }, { handler: "index.echo" }]);
    expect(await host.invoke(name, {})).toMatchObject({
      errorType: "Runtime.ExitError",
      errorMessage: expect.stringContaining(reason),
    });
    expect(await host.invoke(name, {})).toMatchObject({ errorType: "Runtime.ExitError" });
    expect(host.coldStarts().get(name)).toBe(2);
    expect(await host.invoke("echo", 1)).toEqual({ ok: true, payload: 1 });
  });

  it("fails when its bundle throws, lacks the handler, or wants a callback", async () => {
    const { host } = startHost([
      { name: "broken", handler: "index.handler", assetDir: fixture("lambda-broken") },
      { name: "absent", handler: "index.absent" },
      { name: "elsewhere", handler: "elsewhere.handler" },
      { handler: "index.callback" },
    ]);
    expect(await host.invoke("broken", {})).toMatchObject({
      errorType: "TypeError",
      errorMessage: "the bundle cannot be loaded",
    });
    expect(await host.invoke("absent", {})).toMatchObject({ errorType: "Runtime.HandlerNotFound" });
    expect(await host.invoke("elsewhere", {})).toMatchObject({ errorType: "Runtime.ImportModuleError" });
    expect(await host.invoke("callback", {})).toMatchObject({ errorType: "Runtime.CallbackHandlerDeprecated" });
  });

  it("is ended when it takes too long to load", async () => {
    const { host } = startHost([{ name: "slow", handler: "index.handler", assetDir: fixture("lambda-slow-init") }], {
      initTimeoutMs: 200,
    });
    expect(await host.invoke("slow", {})).toMatchObject({ errorType: "Sandbox.Timedout" });
  });
});

describe("work left after the response", () => {
  it("fails the invocation when a timer is left, and does not leak into the next one", async () => {
    const { host } = startHost([{ handler: "index.leaveTimer" }]);
    for (const coldStarts of [1, 2]) {
      expect(await host.invoke("leaveTimer", {})).toMatchObject({
        errorType: "PendingWorkAfterResponse",
        errorMessage: expect.stringContaining("(Timeout)"),
      });
      expect(host.coldStarts().get("leaveTimer")).toBe(coldStarts);
    }
  });

  it.each([
    ["an answer that never comes", neverAnswer],
    ["an answer that comes at once", answer],
  ])("fails the invocation when a fetch is not awaited, with %s", async (_case, listener) => {
    const { host } = startHost([{ handler: "index.leaveFetch" }]);
    const url = await serve(listener);
    for (let call = 0; call < 5; call += 1) {
      expect(await host.invoke("leaveFetch", { url })).toMatchObject({
        errorType: "PendingWorkAfterResponse",
        errorMessage: expect.stringMatching(/TCP|HTTPRequest/),
      });
    }
  });

  it.each([
    ["awaitFetches", "lambda-cases"],
    ["awaitAgent", "lambda-cases"],
    ["callSqs", "lambda-sdk"],
  ])("is not seen in a connection kept alive for the next request (%s)", async (name, bundle) => {
    const { host } = startHost([{ handler: `index.${name}`, assetDir: fixture(bundle) }]);
    const connections = new Set<unknown>();
    const url = await serve((request, response) => {
      connections.add(request.socket);
      response.setHeader("content-type", "application/x-amz-json-1.0");
      response.end('{"QueueUrl":"answered"}');
    });
    for (let call = 0; call < 20; call += 1) {
      expect(await host.invoke(name, { url })).toEqual({ ok: true, payload: "answered" });
    }
    expect(host.coldStarts().get(name)).toBe(1);
    // The proof that connections were kept: 20 invocations with up to 5 requests each.
    expect(connections.size).toBeLessThanOrEqual(4);
  });

  it("is not seen in an aborted fetch or an unref'd timer", async () => {
    const { host } = startHost([{ handler: "index.abortFetch" }, { handler: "index.leaveBackgroundTimer" }]);
    const url = await serve(neverAnswer);
    expect(await host.invoke("abortFetch", { url })).toEqual({ ok: true, payload: "TimeoutError" });
    expect(await host.invoke("leaveBackgroundTimer", {})).toEqual({ ok: true, payload: "answered" });
  });
});

describe("what a function writes", () => {
  it("arrives line by line with its function and request, before the outcome", async () => {
    const { host, lines } = startHost([{ handler: "index.log" }]);
    await host.invoke("log", {});
    expect(lines.map(({ line }) => line)).toEqual(["one", "two", "half whole", "to stderr"]);
    expect(lines.every(({ functionName }) => functionName === "log")).toBe(true);
    expect(new Set(lines.map(({ requestId }) => requestId)).size).toBe(1);
    expect(lines[0]?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });
});
