import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Invoke, InvokeOutcome } from "../lambda/invoke.ts";
import { ExecutionError, isTooLarge, payloadTooLarge } from "./execution-error.ts";
import type { History } from "./execution-history.ts";
import { fillRetryCount, readPlainPath } from "./payload-paths.ts";
import type { FunctionPlan, TaskPlan } from "./prepare-machine.ts";
import type { Wait } from "./states-language.ts";

export interface TaskSurroundings {
  invoke: Invoke;
  now: () => number;
  timeScale: number;
  history: History;
  /** Aborted when the execution ends, for whatever reason. */
  signal: AbortSignal;
  /** Ends the execution with an error that nothing catches. */
  fail: (error: unknown) => void;
  /** Whether a Map or Parallel around a state has failed: its other branches must do nothing any more. */
  isOver: (scopes: string[]) => boolean;
  /** Retries of this state since it was entered. */
  retryCount: () => number;
  activity: Activity;
  /** When the machine's TimeoutSeconds are over by the station's clock; Infinity when it has none. */
  deadlineMs: number;
  /** Ends the execution as timed out. */
  timeOut: () => void;
}

/** What an execution does at the moment; nothing of both while it passes from one state to the next. */
export interface Activity {
  /** Calls of functions under way. */
  working: number;
  /** When each Wait under way is over, by the station's clock. */
  waits: Set<{ endMs: number }>;
}

/** How often a Wait looks at the station's clock, which can jump. */
const WAIT_STEP_MS = 50;
const serviceInput = z.object({ Payload: z.unknown().default({}) });
const instant = z.iso.datetime({ offset: true });

/** The interpreter's handler of one state. */
export function taskHandler(plan: TaskPlan, around: TaskSurroundings): (input: unknown) => Promise<unknown> {
  return async (input) => {
    let timedOut = false;
    // Made before the interpreter makes its own timer of the same length, so this one is first to fire.
    const timer =
      plan.kind === "function" && plan.timeoutSeconds !== undefined
        ? setTimeout(() => {
            timedOut = true;
            record(around, plan, "TimedOut", { error: "States.Timeout" });
          }, plan.timeoutSeconds * 1000)
        : undefined;
    try {
      // One turn of the event loop: by then the run has read the events up to here, and may have ended the execution.
      await nextTurn();
      if (around.signal.aborted || around.isOver(plan.scopes)) throw halted();
      if (plan.kind === "wait") return await wait(plan.wait, input, around);
      const filled = plan.usesRetryCount ? fillRetryCount(input, around.retryCount()) : input;
      around.activity.working += 1;
      try {
        return await callFunction(plan, filled, around, () => timedOut);
      } finally {
        around.activity.working -= 1;
      }
    } finally {
      clearTimeout(timer);
    }
  };
}

async function callFunction(
  plan: FunctionPlan,
  input: unknown,
  around: TaskSurroundings,
  isTimedOut: () => boolean,
): Promise<unknown> {
  const inputJson = JSON.stringify(input);
  if (isTooLarge(inputJson)) throw payloadTooLarge("The task's input");
  record(around, plan, "Scheduled", { input: inputJson });
  record(around, plan, "Started", {});
  if (around.signal.aborted) throw halted();
  const payload = plan.viaService ? serviceInput.parse(input).Payload : input;
  const outcome = await untilAborted(invokeSafely(plan.functionArn, payload, around.invoke), around.signal);
  // The interpreter has left the state already, what comes now is nobody's.
  if (isTimedOut()) throw halted();
  if (!outcome.ok) {
    const error = errorOf(outcome);
    record(around, plan, "Failed", { error: error.name, cause: error.message });
    throw error;
  }
  const output = plan.viaService
    ? { ExecutedVersion: "$LATEST", Payload: outcome.payload ?? null, StatusCode: 200 }
    : (outcome.payload ?? null);
  const outputJson = JSON.stringify(output);
  if (isTooLarge(outputJson)) {
    const error = payloadTooLarge("The task's result");
    record(around, plan, "Failed", { error: error.name, cause: error.message });
    throw error;
  }
  record(around, plan, "Succeeded", { output: outputJson });
  return output;
}

async function invokeSafely(functionArn: string, payload: unknown, invoke: Invoke): Promise<InvokeOutcome> {
  try {
    return await invoke(functionArn, payload);
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : String(error);
    return { ok: false, errorType: "Lambda.ServiceException", errorMessage };
  }
}

function errorOf(outcome: Extract<InvokeOutcome, { ok: false }>): ExecutionError {
  const { errorType, errorMessage, stack } = outcome;
  const cause = { errorType, errorMessage, ...(stack === undefined ? {} : { trace: stack }) };
  return new ExecutionError(errorType, JSON.stringify(cause), { terminal: false });
}

/** A function that is a task's Resource has events of its own; one called through the Lambda service has the service's. */
function record(around: TaskSurroundings, plan: FunctionPlan, step: string, details: Record<string, unknown>): void {
  try {
    if (!plan.viaService) {
      const resource = step === "Scheduled" ? { resource: plan.functionArn } : {};
      around.history.add(`LambdaFunction${step}`, step === "Started" ? undefined : { ...resource, ...details });
      return;
    }
    const { input, ...rest } = details;
    const parameters = step === "Scheduled" ? { region: "us-east-1", parameters: input } : {};
    around.history.add(`Task${step}`, { resourceType: "lambda", resource: "invoke", ...parameters, ...rest });
  } catch (error) {
    around.fail(error);
  }
}

async function wait(state: Wait, input: unknown, around: TaskSurroundings): Promise<unknown> {
  const startMs = around.now();
  const wantedMs = startMs + (waitEndMs(state, input, startMs) - startMs) * around.timeScale;
  const endMs = Math.min(wantedMs, around.deadlineMs);
  const { waits } = around.activity;
  const entry = { endMs };
  waits.add(entry);
  try {
    for (let remainingMs = endMs - around.now(); remainingMs > 0; remainingMs = endMs - around.now())
      await sleep(Math.min(remainingMs, WAIT_STEP_MS), undefined, { signal: around.signal });
  } catch {
    throw halted();
  } finally {
    waits.delete(entry);
  }
  if (endMs === wantedMs) return input;
  // The machine's own timer runs in real time and would miss a jump of the clock.
  around.timeOut();
  throw halted();
}

function waitEndMs(state: Wait, input: unknown, startMs: number): number {
  if (state.Seconds !== undefined) return startMs + state.Seconds * 1000;
  if (state.Timestamp !== undefined) return Date.parse(state.Timestamp);
  if (state.SecondsPath !== undefined) {
    const seconds = z.int().min(0).max(99_999_999).safeParse(readPlainPath(state.SecondsPath, input));
    if (!seconds.success) throw runtimeError(`${state.SecondsPath} is not a whole number of seconds to wait`);
    return startMs + seconds.data * 1000;
  }
  const timestamp = instant.safeParse(readPlainPath(state.TimestampPath ?? "$", input));
  if (!timestamp.success) throw runtimeError(`${state.TimestampPath} is not a timestamp to wait for`);
  return Date.parse(timestamp.data);
}

function runtimeError(cause: string): ExecutionError {
  return new ExecutionError("States.Runtime", cause, { terminal: true });
}

/** Unwinds a branch whose execution is over. It is terminal, or the interpreter would retry it. */
function halted(): ExecutionError {
  return new ExecutionError("Halted", "the execution is over", { terminal: true });
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(halted());
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
