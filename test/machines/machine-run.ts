import { type HistoryEvent, paginateGetExecutionHistory, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { z } from "zod";
import {
  type Harness,
  machine,
  machineArn,
  startHarness,
  stopHarness,
  untilEnded,
} from "../local/step-functions-setup.ts";
import type { SynthesizedMachine } from "./synthesized-machines.ts";

/** What a task does on one call: answers, or throws. */
export type Play = Record<string, unknown> | Error;

/** What each task does, by name; of a list one after the other, the last one for ever. */
export type Script = Record<string, Play | Play[]>;

export interface TaskCall {
  /** The state that called. */
  state: string;
  task: string;
  input: Record<string, unknown>;
  /** What the task was told of the run's own input. */
  runInput: unknown;
  /** What the task was told of when the run began; a task that cannot wait is not told. */
  startedAt: string | undefined;
}

export interface MachineRun {
  status: string;
  error: string | undefined;
  output: unknown;
  /** States in the order in which they were entered. */
  states: string[];
  calls: TaskCall[];
  /** Steps from state to state, with the error that led there when there was one. */
  steps: Step[];
}

export interface Step {
  from: string;
  error: string | undefined;
  to: string;
}

export interface MachineRunner {
  /** Runs the machine once. `failCall` makes the call of that number fail first, on top of the script. */
  run(input: unknown, script: Script, failCall?: { number: number; error: Error }): Promise<MachineRun>;
  close(): Promise<void>;
}

const taskEvent = z.strictObject({
  task: z.string(),
  execution: z.string(),
  input: z.record(z.string(), z.unknown()),
  runInput: z.unknown(),
  startedAt: z.iso.datetime().optional(),
});

/** Starts the service with one synthesized machine; Retry delays are a thousand times shorter. */
export async function startMachineRunner({ workflow, definition }: SynthesizedMachine): Promise<MachineRunner> {
  const players = new Map<string, (event: z.infer<typeof taskEvent>) => unknown>();
  const play = (payload: unknown) => {
    const event = taskEvent.parse(payload);
    return players.get(event.execution.split(":").at(-1) ?? "")?.(event);
  };
  // As Standard, since Express keeps no history; the States Language is the same for both.
  const harness: Harness = await startHarness(
    [machine(workflow, "STANDARD", definition)],
    { [`prod-flux-${workflow}-tasks`]: play },
    { timeScale: 0.001 },
  );
  let runs = 0;
  return {
    async run(input, script, failCall) {
      runs += 1;
      const name = `run-${runs}`;
      const calls: Omit<TaskCall, "state">[] = [];
      const played = new Map<string, number>();
      players.set(name, ({ task, input: taskInput, runInput, startedAt }) => {
        calls.push({ task, input: taskInput, runInput, startedAt });
        if (failCall?.number === calls.length - 1) throw failCall.error;
        const times = played.get(task) ?? 0;
        played.set(task, times + 1);
        const written = script[task];
        const scene = Array.isArray(written) ? (written[times] ?? written.at(-1)) : written;
        if (scene === undefined) throw new Error(`the script has nothing for ${task}`);
        if (scene instanceof Error) throw scene;
        return scene;
      });
      const started = await harness.client.send(
        new StartExecutionCommand({ stateMachineArn: machineArn(workflow), name, input: JSON.stringify(input) }),
      );
      const ended = await untilEnded(harness.client, started.executionArn);
      const events: HistoryEvent[] = [];
      for await (const page of paginateGetExecutionHistory(
        { client: harness.client },
        { executionArn: started.executionArn },
      ))
        events.push(...(page.events ?? []));
      const { states, steps, callers } = readHistory(events);
      return {
        status: ended.status ?? "",
        error: ended.error,
        output: ended.output === undefined ? undefined : JSON.parse(ended.output),
        states,
        steps,
        calls: calls.map((call, index) => ({ state: callers[index] ?? "", ...call })),
      };
    },
    close: () => stopHarness(harness),
  };
}

function readHistory(events: HistoryEvent[]): { states: string[]; steps: Step[]; callers: string[] } {
  const states: string[] = [];
  const steps: Step[] = [];
  const callers: string[] = [];
  let lastError: string | undefined;
  for (const event of events) {
    const entered = event.stateEnteredEventDetails?.name;
    const from = states.at(-1);
    if (entered !== undefined) {
      if (from !== undefined) steps.push({ from, error: lastError, to: entered });
      states.push(entered);
      lastError = undefined;
    } else if (event.type === "LambdaFunctionScheduled") {
      callers.push(from ?? "");
      lastError = undefined;
    } else if (event.type === "LambdaFunctionFailed") {
      lastError = event.lambdaFunctionFailedEventDetails?.error;
    }
  }
  return { states, steps, callers };
}
