import { ExecutionError as InterpreterError, type StateMachine } from "aws-local-stepfunctions";
import { z } from "zod";
import type { Invoke } from "../lambda/invoke.ts";
import { isTooLarge, payloadTooLarge } from "./execution-error.ts";
import { type History, HistoryFullError } from "./execution-history.ts";
import { LONGEST_TIMER_SECONDS, type PreparedMachine } from "./prepare-machine.ts";
import { type Activity, taskHandler } from "./task-handlers.ts";

export type ExecutionOutcome =
  /** `output` is JSON text. */
  | { status: "SUCCEEDED"; output: string }
  | { status: "FAILED" | "TIMED_OUT" | "ABORTED"; error?: string | undefined; cause?: string | undefined };

export interface RunningExecution {
  outcome: Promise<ExecutionOutcome>;
  abort: (reason: { error?: string | undefined; cause?: string | undefined }) => void;
  /** When a Wait ends, by the station's clock, as long as the execution does nothing but wait; else undefined. */
  waitsUntilMs: () => number | undefined;
}

export interface ExecutionIdentity {
  arn: string;
  name: string;
  machineArn: string;
  machineName: string;
  roleArn: string;
  startMs: number;
}

export interface RunOptions {
  machine: PreparedMachine;
  identity: ExecutionIdentity;
  /** JSON text. */
  input: string;
  history: History;
  /** The end of an Express execution, or of one whose machine has a TimeoutSeconds. */
  timeoutMs: number | undefined;
  invoke: Invoke;
  now: () => number;
  timeScale: number;
}

type JsonValue = Parameters<StateMachine["run"]>[0];
/** What came out of JSON.parse or goes into JSON.stringify is JSON, which the compiler cannot know. */
const jsonValue = z.custom<JsonValue>((value) => value !== undefined);

type InterpreterRun = ReturnType<StateMachine["run"]>;
type InterpreterEvent = InterpreterRun["eventLogs"] extends AsyncGenerator<infer Event> ? Event : never;

/** Runs one execution to its end and writes its history. The outcome never rejects. */
export function runExecution(options: RunOptions): RunningExecution {
  const { machine, history, identity } = options;
  const ended = new AbortController();
  const failedScopes = new Set<string>();
  const retries = new Map<string, number>();
  const verdict: { outcome?: ExecutionOutcome } = {};
  const end = (outcome: ExecutionOutcome) => {
    if (verdict.outcome !== undefined) return;
    verdict.outcome = outcome;
    ended.abort();
    run.abort();
  };
  const fail = (error: unknown) => end(failureOf(error));
  const timeOut = () => end({ status: "TIMED_OUT", error: "States.Timeout" });
  const activity: Activity = { working: 0, waits: new Set() };
  const handlers = Object.fromEntries(
    [...machine.taskPlans].map(([name, plan]) => {
      const handler = taskHandler(plan, {
        invoke: options.invoke,
        now: options.now,
        timeScale: options.timeScale,
        history,
        signal: ended.signal,
        fail,
        isOver: (scopes) => scopes.some((scope) => failedScopes.has(scope)),
        retryCount: () => retries.get(name) ?? 0,
        activity,
        deadlineMs: identity.startMs + (options.timeoutMs ?? Number.POSITIVE_INFINITY),
        timeOut,
      });
      return [name, async (taskInput: JsonValue) => jsonValue.parse(await handler(taskInput))];
    }),
  );
  history.add("ExecutionStarted", { input: options.input, roleArn: identity.roleArn });
  const input = jsonValue.parse(JSON.parse(options.input));
  const run = machine.interpreter.run(input, {
    overrides: { taskResourceLocalHandlers: handlers },
    context: contextOf(identity, input),
  });
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(timeOut, Math.min(options.timeoutMs, LONGEST_TIMER_SECONDS * 1000));
  const recorder = createRecorder(machine, history, { failedScopes, retries });

  const watchEvents = async () => {
    for await (const event of run.eventLogs) {
      if (verdict.outcome !== undefined) return;
      try {
        recorder(event);
      } catch (error) {
        fail(error);
      }
    }
  };
  const settle = async (): Promise<ExecutionOutcome> => {
    const events = watchEvents();
    let outcome: ExecutionOutcome;
    try {
      const output = JSON.stringify(await run.result);
      outcome = { status: "SUCCEEDED", output };
    } catch (error) {
      outcome = failureOf(error instanceof InterpreterError ? error.cause : error);
    }
    await events;
    clearTimeout(timer);
    end(outcome);
    const final = verdict.outcome ?? outcome;
    recordEnd(history, final);
    return final;
  };
  return {
    outcome: settle(),
    abort: (reason) => end({ status: "ABORTED", ...reason }),
    waitsUntilMs: () => {
      if (activity.working > 0 || activity.waits.size === 0) return undefined;
      const untilMs = Math.min(...[...activity.waits].map(({ endMs }) => endMs));
      // Its time has come: it only has not noticed yet.
      return untilMs > options.now() ? untilMs : undefined;
    },
  };
}

/** What `$$` holds. `Started` stands in for what the interpreter overwrites in `Execution`; paths are rewritten to it. */
function contextOf(identity: ExecutionIdentity, input: unknown): Record<string, unknown> {
  return {
    Execution: { Id: identity.arn, Name: identity.name, RoleArn: identity.roleArn },
    StateMachine: { Id: identity.machineArn, Name: identity.machineName },
    Started: { Input: input, StartTime: new Date(identity.startMs).toISOString() },
  };
}

function failureOf(error: unknown): ExecutionOutcome {
  if (error instanceof HistoryFullError) return { status: "FAILED", error: "States.Runtime", cause: error.message };
  if (!(error instanceof Error)) return { status: "FAILED", error: "States.Runtime", cause: String(error) };
  const fromInterpreter = [TypeError, SyntaxError, RangeError, ReferenceError].some((type) => error instanceof type);
  return {
    status: "FAILED",
    error: fromInterpreter ? "States.Runtime" : error.name,
    cause: error.message === "" ? undefined : error.message,
  };
}

interface Progress {
  /** The Map and Parallel states that have failed and not begun again. */
  failedScopes: Set<string>;
  /** Retries of each state since it was entered. */
  retries: Map<string, number>;
}

/** Writes the interpreter's events down as AWS shapes them, and throws what ends the execution. */
function createRecorder(machine: PreparedMachine, history: History, progress: Progress) {
  const { failedScopes, retries } = progress;
  const caught = new Set<string>();
  return (event: InterpreterEvent): void => {
    switch (event.type) {
      case "StateEntered": {
        const { name } = event.state;
        const type = machine.stateTypes.get(name) ?? event.state.type;
        failedScopes.delete(name);
        retries.set(name, 0);
        history.add(`${type}StateEntered`, { name, input: payload(event.state.input, `The input of "${name}"`) });
        if (type === "Map" || type === "Parallel") history.add(`${type}StateStarted`);
        return;
      }
      case "StateExited": {
        const { name } = event.state;
        const type = machine.stateTypes.get(name) ?? event.state.type;
        if ((type === "Map" || type === "Parallel") && !caught.delete(name)) history.add(`${type}StateSucceeded`);
        history.add(`${type}StateExited`, { name, output: payload(event.state.output, `The output of "${name}"`) });
        return;
      }
      case "StateFailed":
        if (event.state.type !== "Map" && event.state.type !== "Parallel") return;
        failedScopes.add(event.state.name);
        history.add(`${event.state.type}StateFailed`);
        return;
      case "StateRetried":
        failedScopes.delete(event.state.name);
        retries.set(event.state.name, (retries.get(event.state.name) ?? 0) + 1);
        return;
      case "StateCaught":
        caught.add(event.state.name);
        return;
      case "MapIterationStarted":
      case "MapIterationSucceeded":
      case "MapIterationFailed":
        history.add(event.type, { name: event.parentState.name, index: event.index });
        return;
      default:
        return;
    }
  };
}

function payload(value: unknown, what: string): string {
  const json = JSON.stringify(value) ?? "null";
  if (isTooLarge(json)) throw payloadTooLarge(what);
  return json;
}

function recordEnd(history: History, outcome: ExecutionOutcome): void {
  if (outcome.status === "SUCCEEDED") {
    history.add("ExecutionSucceeded", { output: outcome.output });
    return;
  }
  const type = { FAILED: "ExecutionFailed", TIMED_OUT: "ExecutionTimedOut", ABORTED: "ExecutionAborted" }[
    outcome.status
  ];
  history.add(type, { error: outcome.error, cause: outcome.cause });
}
