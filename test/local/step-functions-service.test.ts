import dns from "node:dns";
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  SFNClient,
  StartExecutionCommand,
  StartSyncExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Machine, StepFunctionsOptions } from "../../local/aws/step-functions/start-step-functions.ts";
import {
  type FunctionBodies,
  functionArn,
  type Harness,
  machine,
  machineArn,
  named,
  oneTask,
  startHarness,
  stopHarness,
  untilEnded,
} from "./step-functions-setup.ts";

const DAY_MS = 86_400_000;
let open: Harness[] = [];

afterEach(async () => {
  await Promise.all(open.map(stopHarness));
  open = [];
});

async function station(
  machines: Machine[],
  functions: FunctionBodies = {},
  options: Partial<StepFunctionsOptions> = {},
) {
  const harness = await startHarness(machines, functions, { timeScale: 0.001, ...options });
  open.push(harness);
  return harness;
}

const start = (client: SFNClient, name: string | undefined, input = "{}", of = "weekly") =>
  client.send(new StartExecutionCommand({ stateMachineArn: machineArn(of), name, input }));

/** Promises that settle when told. */
function gate() {
  return Promise.withResolvers<string>();
}

async function typesOf(client: SFNClient, executionArn: string | undefined) {
  const { events } = await client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }));
  return (events ?? []).map(({ type }) => type);
}

describe("a Standard execution", () => {
  it("runs to its end and is described with input, output and dates of the station's clock", async () => {
    const now = () => Date.UTC(2030, 0, 1);
    const { client } = await station(
      [machine("weekly", "STANDARD", oneTask("work"))],
      { work: () => ({ sent: 3 }) },
      {
        now,
      },
    );
    const { executionArn, startDate } = await start(client, "2030-W01", '{"week":1}');
    expect(executionArn).toBe("arn:aws:states:us-east-1:000000000000:execution:weekly:2030-W01");
    expect(startDate).toEqual(new Date(now()));
    expect(await untilEnded(client, executionArn)).toMatchObject({
      name: "2030-W01",
      status: "SUCCEEDED",
      stateMachineArn: machineArn("weekly"),
      input: '{"week":1}',
      output: '{"sent":3}',
      stopDate: new Date(now()),
    });
  });

  it("has a history in AWS's shape, retries included", async () => {
    const definition = {
      StartAt: "Work",
      States: {
        Work: {
          Type: "Task",
          Resource: functionArn("work"),
          Retry: [{ ErrorEquals: ["Busy"] }],
          Next: "Rest",
        },
        Rest: { Type: "Wait", Seconds: 1, Next: "Ask" },
        Ask: { Type: "Choice", Choices: [{ Variable: "$.ok", BooleanEquals: true, Next: "Done" }] },
        Done: { Type: "Succeed" },
      },
    };
    let calls = 0;
    const { client } = await station([machine("weekly", "STANDARD", definition)], {
      work: () => {
        calls += 1;
        if (calls === 1) throw named("Busy", "later");
        return { ok: true };
      },
    });
    const { executionArn } = await start(client, "one");
    await untilEnded(client, executionArn);
    const { events } = await client.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events?.map(({ type }) => type)).toEqual([
      "ExecutionStarted",
      "TaskStateEntered",
      "LambdaFunctionScheduled",
      "LambdaFunctionStarted",
      "LambdaFunctionFailed",
      "LambdaFunctionScheduled",
      "LambdaFunctionStarted",
      "LambdaFunctionSucceeded",
      "TaskStateExited",
      "WaitStateEntered",
      "WaitStateExited",
      "ChoiceStateEntered",
      "ChoiceStateExited",
      "SucceedStateEntered",
      "SucceedStateExited",
      "ExecutionSucceeded",
    ]);
    expect(events?.map(({ id, previousEventId }) => [id, previousEventId])).toEqual(
      events?.map((_, index) => [index + 1, index]),
    );
    expect(events?.[1]?.stateEnteredEventDetails).toMatchObject({ name: "Work", input: "{}" });
    expect(events?.[2]?.lambdaFunctionScheduledEventDetails).toMatchObject({
      resource: functionArn("work"),
      input: "{}",
    });
    expect(events?.[4]?.lambdaFunctionFailedEventDetails).toMatchObject({ error: "Busy" });
    expect(events?.at(-1)?.executionSucceededEventDetails).toMatchObject({ output: '{"ok":true}' });
  });

  it("records a task's timeout, and nothing of what its function answers afterwards", async () => {
    const { promise, resolve } = gate();
    const definition = {
      StartAt: "Work",
      States: {
        Work: {
          Type: "Task",
          Resource: functionArn("work"),
          TimeoutSeconds: 1,
          Catch: [{ ErrorEquals: ["States.Timeout"], Next: "Rest" }],
          End: true,
        },
        Rest: { Type: "Wait", Seconds: 100, Next: "Stop" },
        Stop: { Type: "Fail", Error: "TooSlow" },
      },
    };
    const { client } = await station([machine("weekly", "STANDARD", definition)], { work: () => promise });
    const { executionArn } = await start(client, "one");
    await vi.waitFor(async () => expect(await typesOf(client, executionArn)).toContain("WaitStateEntered"), 3000);
    resolve("late");
    expect(await untilEnded(client, executionArn)).toMatchObject({ status: "FAILED", error: "TooSlow" });
    expect((await typesOf(client, executionArn)).slice(3)).toEqual([
      "LambdaFunctionStarted",
      "LambdaFunctionTimedOut",
      "TaskStateExited",
      "WaitStateEntered",
      "WaitStateExited",
      "FailStateEntered",
      "ExecutionFailed",
    ]);
  });

  it("is timed out by the machine's TimeoutSeconds", async () => {
    const definition = { ...oneTask("work"), TimeoutSeconds: 1 };
    const { client } = await station([machine("weekly", "STANDARD", definition)], { work: () => gate().promise });
    const { executionArn } = await start(client, "one");
    expect((await untilEnded(client, executionArn)).status).toBe("TIMED_OUT");
    expect((await typesOf(client, executionArn)).at(-1)).toBe("ExecutionTimedOut");
  });

  it("fails when its history would have 25,000 events, as a loop without end does", async () => {
    const definition = {
      StartAt: "Again",
      States: {
        Again: { Type: "Pass", Next: "Ask" },
        Ask: { Type: "Choice", Choices: [{ Variable: "$.on", BooleanEquals: true, Next: "Again" }], Default: "Done" },
        Done: { Type: "Succeed" },
      },
    };
    const { client } = await station([machine("weekly", "STANDARD", definition)]);
    const { executionArn } = await start(client, "one", '{"on":true}');
    const ended = await untilEnded(client, executionArn);
    expect(ended).toMatchObject({ status: "FAILED", error: "States.Runtime" });
    expect(ended.cause).toBe("The execution reached the maximum number of history events (25000).");
    const { events } = await client.send(
      new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults: 1 }),
    );
    expect(events?.[0]).toMatchObject({ id: 25_000, type: "ExecutionFailed" });
  });

  it("calls no task again once it is stopped, not even one that waits for its retry", async () => {
    const definition = oneTask("work", { Retry: [{ ErrorEquals: ["Busy"], IntervalSeconds: 60 }] });
    const failing: FunctionBodies = {
      work: () => {
        throw named("Busy");
      },
    };
    const {
      client,
      calls,
      station: running,
    } = await station([machine("weekly", "STANDARD", definition)], failing, {
      timeScale: 1,
    });
    const { executionArn } = await start(client, "one");
    await vi.waitFor(async () => expect(await typesOf(client, executionArn)).toContain("LambdaFunctionFailed"));
    await client.send(new StopExecutionCommand({ executionArn, error: "Operator", cause: "enough" }));
    const stopped = await client.send(new DescribeExecutionCommand({ executionArn }));
    expect(stopped).toMatchObject({ status: "ABORTED", error: "Operator", cause: "enough" });
    expect((await typesOf(client, executionArn)).at(-1)).toBe("ExecutionAborted");
    expect(calls).toEqual(["work"]);
    expect(running.executionsRunning()).toBe(0);
  });

  it("waits by the station's clock, so that moving it ends a long Wait", async () => {
    const definition = { StartAt: "Rest", States: { Rest: { Type: "Wait", Seconds: 86_400, End: true } } };
    let offsetMs = 0;
    const { client } = await station(
      [machine("weekly", "STANDARD", definition)],
      {},
      {
        now: () => Date.now() + offsetMs,
        timeScale: 1,
      },
    );
    const { executionArn } = await start(client, "one");
    await vi.waitFor(async () => expect(await typesOf(client, executionArn)).toContain("WaitStateEntered"));
    offsetMs = DAY_MS;
    expect((await untilEnded(client, executionArn)).status).toBe("SUCCEEDED");
  });

  it("tells when it goes on as long as it only waits, and is timed out by the station's clock where that comes first", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const definition = {
      TimeoutSeconds: 3600,
      StartAt: "Ask",
      States: {
        Ask: { Type: "Task", Resource: functionArn("work"), Next: "Rest" },
        Rest: { Type: "Wait", TimestampPath: "$.until", Next: "Ask Again" },
        "Ask Again": { Type: "Task", Resource: functionArn("work"), Next: "Rest Too Long" },
        "Rest Too Long": { Type: "Wait", TimestampPath: "$.until", End: true },
      },
    };
    let nowMs = Date.parse("2026-03-02T09:00:00Z");
    const until = (minutes: number) => new Date(Date.parse("2026-03-02T09:00:00Z") + minutes * 60_000);
    const answers = [promise, { until: until(90).toISOString() }];
    const { client, station: running } = await station(
      [machine("weekly", "STANDARD", definition)],
      { work: () => answers.shift() },
      { now: () => nowMs, timeScale: 1 },
    );
    const { executionArn } = await start(client, "one");
    await vi.waitFor(async () => expect(await typesOf(client, executionArn)).toContain("LambdaFunctionStarted"));
    expect(running.waitsUntilMs()).toEqual([]);
    resolve({ until: until(30).toISOString() });
    await vi.waitFor(() => expect(running.waitsUntilMs()).toEqual([until(30).getTime()]));
    expect(running.executionsRunning()).toBe(1);
    nowMs = until(30).getTime();
    // The next wait would end after the machine's hour.
    await vi.waitFor(() => expect(running.waitsUntilMs()).toEqual([until(60).getTime()]));
    nowMs = until(60).getTime();
    expect((await untilEnded(client, executionArn)).status).toBe("TIMED_OUT");
    expect((await typesOf(client, executionArn)).at(-1)).toBe("ExecutionTimedOut");
    expect(running.waitsUntilMs()).toEqual([]);
  });
});

describe("execution names", () => {
  it.each(["", "a b", "a/b", "a:b", "a#b", "a\u0007b", "x".repeat(81)])("refuses %j", async (name) => {
    const { station: running } = await station([machine("weekly", "STANDARD", oneTask("work"))]);
    await expect(running.startExecution(machineArn("weekly"), "{}", name)).rejects.toMatchObject({
      code: "InvalidName",
    });
  });

  it("joins a running execution of the same input, and refuses another input", async () => {
    const { promise, resolve } = gate();
    const { client, calls } = await station([machine("weekly", "STANDARD", oneTask("work"))], { work: () => promise });
    const first = await start(client, "2025-W07", '{"a":1}');
    const second = await start(client, "2025-W07", '{"a":1}');
    expect(second.executionArn).toBe(first.executionArn);
    expect(second.startDate).toEqual(first.startDate);
    await expect(start(client, "2025-W07", '{"a":2}')).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
    resolve("done");
    await untilEnded(client, first.executionArn);
    expect(calls).toEqual(["work"]);
    await expect(start(client, "2025-W07", '{"a":1}')).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
  });

  it("are free again 90 days after the execution has ended", async () => {
    let nowMs = Date.UTC(2025, 0, 1);
    const { client } = await station(
      [machine("weekly", "STANDARD", oneTask("work"))],
      { work: () => 1 },
      {
        now: () => nowMs,
      },
    );
    const { executionArn } = await start(client, "one");
    await untilEnded(client, executionArn);
    nowMs += 90 * DAY_MS;
    await expect(start(client, "one")).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
    nowMs += 1;
    await expect(client.send(new DescribeExecutionCommand({ executionArn }))).rejects.toMatchObject({
      name: "ExecutionDoesNotExist",
    });
    expect((await start(client, "one")).startDate).toEqual(new Date(nowMs));
  });
});

describe("an Express execution", () => {
  const express = [machine("sync", "EXPRESS", oneTask("work"))];

  it("answers with its outcome, and its name may be used again", async () => {
    const { client } = await station(express, { work: (input) => input });
    const request = { stateMachineArn: machineArn("sync"), name: "contact-1", input: '{"contact":1}' };
    const first = await client.send(new StartSyncExecutionCommand(request));
    expect(first).toMatchObject({ status: "SUCCEEDED", output: '{"contact":1}', name: "contact-1" });
    expect(first.startDate).toBeInstanceOf(Date);
    const second = await client.send(new StartSyncExecutionCommand(request));
    expect(second.executionArn).not.toBe(first.executionArn);
  });

  it("ends after five minutes, or what stands for them", async () => {
    const { client } = await station(express, { work: () => gate().promise }, { expressTimeoutMs: 50 });
    const reply = await client.send(new StartSyncExecutionCommand({ stateMachineArn: machineArn("sync") }));
    expect(reply).toMatchObject({ status: "TIMED_OUT", error: "States.Timeout" });
  });

  it("is reached by a client without options where sync-127.0.0.1 resolves, and only there", async () => {
    const { station: running } = await station(express, { work: () => "here" });
    const plain = new SFNClient({
      region: "us-east-1",
      endpoint: running.url,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      maxAttempts: 1,
    });
    const send = () => plain.send(new StartSyncExecutionCommand({ stateMachineArn: machineArn("sync") }));
    await expect(send()).rejects.toMatchObject({ code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) });
    const lookup = dns.lookup;
    const resolving = vi.spyOn(dns, "lookup").mockImplementation((...args: Parameters<typeof dns.lookup>) => {
      const [host, ...rest] = args;
      return lookup(host.replace(/^sync-(?=127\.)/, ""), ...rest);
    });
    try {
      expect(await send()).toMatchObject({ status: "SUCCEEDED", output: '"here"' });
    } finally {
      resolving.mockRestore();
      plain.destroy();
    }
  });

  it("can be started without waiting, but not described or listed", async () => {
    const { client, calls } = await station(express, { work: () => 1 });
    const { executionArn } = await start(client, undefined, "{}", "sync");
    await vi.waitFor(() => expect(calls).toEqual(["work"]));
    const refused = { name: "InvalidArn" };
    await expect(client.send(new DescribeExecutionCommand({ executionArn }))).rejects.toMatchObject(refused);
    await expect(client.send(new StopExecutionCommand({ executionArn }))).rejects.toMatchObject(refused);
    await expect(client.send(new ListExecutionsCommand({ stateMachineArn: machineArn("sync") }))).rejects.toMatchObject(
      { name: "StateMachineTypeNotSupported" },
    );
  });
});

describe("calls", () => {
  it.each([
    ["input that is not JSON", { stateMachineArn: machineArn("weekly"), input: "{" }, "InvalidExecutionInput"],
    ["an unknown machine", { stateMachineArn: machineArn("other") }, "StateMachineDoesNotExist"],
    ["an ARN of something else", { stateMachineArn: "arn:aws:sqs:us-east-1:000000000000:q" }, "InvalidArn"],
    [
      "input over 256 KiB",
      { stateMachineArn: machineArn("weekly"), input: `"${"é".repeat(131_072)}"` },
      "ValidationException",
    ],
  ])("refuse %s", async (_, request, name) => {
    const { client } = await station([machine("weekly", "STANDARD", oneTask("work"))]);
    await expect(client.send(new StartExecutionCommand(request))).rejects.toMatchObject({ name });
  });

  it("refuse StartSyncExecution of a Standard machine", async () => {
    const { client } = await station([machine("weekly", "STANDARD", oneTask("work"))]);
    await expect(
      client.send(new StartSyncExecutionCommand({ stateMachineArn: machineArn("weekly") })),
    ).rejects.toMatchObject({ name: "StateMachineTypeNotSupported" });
  });

  it("list executions newest first, by status and by page", async () => {
    let nowMs = 0;
    const { client } = await station(
      [machine("weekly", "STANDARD", oneTask("work"))],
      {
        work: (input) => {
          if (input === 2) throw named("Bad");
          return input;
        },
      },
      { now: () => (nowMs += 1000) },
    );
    for (const number of [1, 2, 3])
      await untilEnded(client, (await start(client, `run-${number}`, `${number}`)).executionArn);
    const list = (more: object) =>
      client.send(new ListExecutionsCommand({ stateMachineArn: machineArn("weekly"), ...more }));
    const first = await list({ maxResults: 2 });
    expect(first.executions?.map(({ name }) => name)).toEqual(["run-3", "run-2"]);
    const second = await list({ maxResults: 2, nextToken: first.nextToken });
    expect(second.executions?.map(({ name }) => name)).toEqual(["run-1"]);
    expect(second.nextToken).toBeUndefined();
    expect((await list({ statusFilter: "FAILED" })).executions?.map(({ name }) => name)).toEqual(["run-2"]);
    await expect(list({ nextToken: "nonsense" })).rejects.toMatchObject({ name: "InvalidToken" });
  });

  it("list and describe machines", async () => {
    const definition = oneTask("work");
    const { client } = await station([
      machine("weekly", "STANDARD", definition),
      machine("sync", "EXPRESS", definition),
    ]);
    const { stateMachines } = await client.send(new ListStateMachinesCommand({}));
    expect(stateMachines?.map(({ name, type }) => [name, type])).toEqual([
      ["weekly", "STANDARD"],
      ["sync", "EXPRESS"],
    ]);
    const described = await client.send(new DescribeStateMachineCommand({ stateMachineArn: machineArn("weekly") }));
    expect(JSON.parse(described.definition ?? "")).toEqual(definition);
  });
});

it("closing aborts what runs and leaves no timer behind", async () => {
  const definition = oneTask("work", { TimeoutSeconds: 600 });
  const { client, station: running } = await startHarness(
    [machine("weekly", "STANDARD", { ...definition, TimeoutSeconds: 3600 })],
    { work: () => gate().promise },
  );
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  await start(client, "one");
  await vi.waitFor(() => expect(running.executionsRunning()).toBe(1));
  client.destroy();
  const before = timers();
  await running.close();
  expect(running.executionsRunning()).toBe(0);
  // The task's own timer, the interpreter's and the machine's.
  await vi.waitFor(() => expect(timers()).toBeLessThanOrEqual(before - 3));
});
