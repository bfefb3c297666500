import { randomUUID } from "node:crypto";
import { z } from "zod";
import { AwsError, parseInput, startJsonService } from "../json-protocol.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { isTooLarge, PAYLOAD_LIMIT_BYTES } from "./execution-error.ts";
import { createHistory, noHistory } from "./execution-history.ts";
import { createExecutionStore, type StandardExecution } from "./execution-store.ts";
import { type PreparedMachine, prepareMachine } from "./prepare-machine.ts";
import { readOperations } from "./read-operations.ts";
import { type RunningExecution, runExecution } from "./run-execution.ts";

export interface Machine {
  name: string;
  arn: string;
  type: "STANDARD" | "EXPRESS";
  /** The definition as an object, placeholders replaced. */
  definition: unknown;
  roleArn?: string;
}

export interface StepFunctionsOptions {
  machines: Machine[];
  invoke: Invoke;
  now: () => number;
  /** 0 or absent: any free port. */
  port?: number;
  /** Real seconds that a second of Wait or of a Retry delay takes; 1 when absent. Timeouts stay real. */
  timeScale?: number;
  /** The end of an Express execution; 5 minutes as on AWS when absent. */
  expressTimeoutMs?: number;
}

export interface StartedExecution {
  executionArn: string;
  /** Epoch seconds. */
  startDate: number;
}

export interface StepFunctions {
  url: string;
  /** Starts an execution as the StartExecution call does; `input` is JSON text. Rejects with AwsError. */
  startExecution: (machineArn: string, input: string, name?: string) => Promise<StartedExecution>;
  /** Executions that have not ended, of both types. */
  executionsRunning: () => number;
  /** Those of them that do nothing but wait: when each goes on, by the station's clock. */
  waitsUntilMs: () => number[];
  /** Aborts what runs and stops answering. */
  close: () => Promise<void>;
}

interface LoadedMachine extends Machine {
  roleArn: string;
  prepared: PreparedMachine;
}

const EXPRESS_TIMEOUT_MS = 5 * 60 * 1000;
const FORBIDDEN_IN_NAMES = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]/u;

const startInput = z.object({
  stateMachineArn: z.string(),
  input: z.string().default("{}"),
  name: z.string().optional(),
});
const stopInput = z.object({
  executionArn: z.string(),
  error: z.string().max(256).optional(),
  cause: z.string().max(32_768).optional(),
});

/**
 * Runs state machines and speaks the Step Functions protocol on 127.0.0.1. The SDK puts `sync-` before the host of
 * StartSyncExecution: a client needs `disableHostPrefix`, or a process in which `sync-127.0.0.1` resolves.
 * @throws UnsupportedDefinitionError for the first machine that cannot run here
 */
export async function startStepFunctions(options: StepFunctionsOptions): Promise<StepFunctions> {
  const timeScale = options.timeScale ?? 1;
  const machines = new Map(options.machines.map((machine) => [machine.arn, load(machine, timeScale)]));
  const createdMs = options.now();
  const store = createExecutionStore({ now: options.now });
  const running = new Set<RunningExecution>();

  const findMachine = (arn: string): LoadedMachine => {
    if (!arn.startsWith("arn:aws:states:")) throw new AwsError("InvalidArn", `Invalid Arn: '${arn}'`);
    const machine = machines.get(arn);
    if (machine === undefined) {
      throw new AwsError("StateMachineDoesNotExist", `State Machine Does Not Exist: '${arn}'`);
    }
    return machine;
  };

  const run = (machine: LoadedMachine, arn: string, name: string, input: string, startMs: number) => {
    const history = machine.type === "STANDARD" ? createHistory({ now: options.now }) : noHistory;
    const execution = runExecution({
      machine: machine.prepared,
      identity: {
        arn,
        name,
        machineArn: machine.arn,
        machineName: machine.name,
        roleArn: machine.roleArn,
        startMs,
      },
      input,
      history,
      timeoutMs: timeoutMsOf(machine, options.expressTimeoutMs ?? EXPRESS_TIMEOUT_MS),
      invoke: options.invoke,
      now: options.now,
      timeScale,
    });
    running.add(execution);
    const outcome = execution.outcome.finally(() => running.delete(execution));
    return { history, outcome, abort: execution.abort };
  };

  const startExecution = async (machineArn: string, input: string, name?: string): Promise<StartedExecution> => {
    const machine = findMachine(machineArn);
    checkStart(input, name);
    const startMs = options.now();
    const executionName = name ?? randomUUID();
    const arn = executionArn(machine, executionName);
    if (machine.type === "EXPRESS") {
      run(machine, arn, executionName, input, startMs);
      return { executionArn: arn, startDate: startMs / 1000 };
    }
    const joined = store.findToJoin(arn, input);
    if (joined !== undefined) return { executionArn: arn, startDate: joined.startMs / 1000 };
    const execution: StandardExecution = {
      ...run(machine, arn, executionName, input, startMs),
      arn,
      name: executionName,
      machineArn,
      input,
      startMs,
    };
    store.add(execution);
    execution.outcome = execution.outcome.then((outcome) => {
      execution.closed = { outcome, stopMs: options.now() };
      return outcome;
    });
    return { executionArn: arn, startDate: startMs / 1000 };
  };

  const answerStart = (raw: unknown) => {
    const request = parseInput(startInput, raw);
    return startExecution(request.stateMachineArn, request.input, request.name);
  };

  const answerStartSync = async (raw: unknown) => {
    const request = parseInput(startInput, raw);
    const machine = findMachine(request.stateMachineArn);
    if (machine.type !== "EXPRESS") {
      throw new AwsError(
        "StateMachineTypeNotSupported",
        "This operation is not supported by this type of state machine",
      );
    }
    checkStart(request.input, request.name);
    const startMs = options.now();
    const name = request.name ?? randomUUID();
    const arn = executionArn(machine, name);
    const outcome = await run(machine, arn, name, request.input, startMs).outcome;
    const stopMs = options.now();
    const durationMs = Math.ceil((stopMs - startMs) / 100) * 100;
    return {
      executionArn: arn,
      stateMachineArn: machine.arn,
      name,
      startDate: startMs / 1000,
      stopDate: stopMs / 1000,
      input: request.input,
      inputDetails: { included: true },
      ...outcome,
      ...(outcome.status === "SUCCEEDED" ? { outputDetails: { included: true } } : {}),
      billingDetails: { billedDurationInMilliseconds: Math.max(durationMs, 100), billedMemoryUsedInMB: 64 },
    };
  };

  const answerStop = async (raw: unknown) => {
    const request = parseInput(stopInput, raw);
    const execution = store.get(standardArn(request.executionArn));
    execution.abort({ error: request.error, cause: request.cause });
    await execution.outcome;
    return { stopDate: (execution.closed?.stopMs ?? options.now()) / 1000 };
  };

  const service = await startJsonService({
    targetPrefix: "AWSStepFunctions",
    ...(options.port === undefined ? {} : { port: options.port }),
    operations: {
      StartExecution: answerStart,
      StartSyncExecution: answerStartSync,
      StopExecution: answerStop,
      ...readOperations({ machines, store, createdMs, findMachine, standardArn }),
    },
  });
  return {
    url: service.url,
    startExecution,
    executionsRunning: () => running.size,
    waitsUntilMs: () => [...running].flatMap((execution) => execution.waitsUntilMs() ?? []),
    close: async () => {
      const stopped = [...running].map((execution) => {
        execution.abort({ cause: "The station is stopping." });
        return execution.outcome;
      });
      await Promise.all(stopped);
      await service.close();
    },
  };
}

function load(machine: Machine, timeScale: number): LoadedMachine {
  const prepared = prepareMachine(machine.name, machine.definition, { timeScale });
  return { ...machine, roleArn: machine.roleArn ?? "arn:aws:iam::000000000000:role/state-machine", prepared };
}

function timeoutMsOf(machine: LoadedMachine, expressTimeoutMs: number): number | undefined {
  const { timeoutSeconds } = machine.prepared;
  const ownMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  if (machine.type === "STANDARD") return ownMs;
  return Math.min(ownMs ?? expressTimeoutMs, expressTimeoutMs);
}

/** Express names may be used again, so AWS adds a part of its own to their ARNs. */
function executionArn(machine: Machine, name: string): string {
  if (machine.type === "STANDARD") return `${machine.arn.replace(":stateMachine:", ":execution:")}:${name}`;
  return `${machine.arn.replace(":stateMachine:", ":express:")}:${name}:${randomUUID()}`;
}

/** Express executions cannot be looked up or stopped; AWS knows them by their ARN. */
function standardArn(arn: string): string {
  if (/^arn:aws:states:[^:]*:\d{12}:execution:[^:]+:[^:]+$/.test(arn)) return arn;
  throw new AwsError("InvalidArn", `Invalid Arn: '${arn}' is not the ARN of a Standard execution`);
}

function checkStart(input: string, name: string | undefined): void {
  if (name !== undefined && (name.length < 1 || name.length > 80 || FORBIDDEN_IN_NAMES.test(name))) {
    throw new AwsError("InvalidName", `Invalid Name: '${name}'`);
  }
  if (isTooLarge(input)) {
    const rule = `Member must have length less than or equal to ${PAYLOAD_LIMIT_BYTES}`;
    throw new AwsError("ValidationException", `Value at 'input' failed to satisfy constraint: ${rule}`);
  }
  try {
    JSON.parse(input);
  } catch (error) {
    throw new AwsError("InvalidExecutionInput", "Invalid State Machine Execution Input: not JSON", 400, {
      cause: error,
    });
  }
}
