import type { Handler } from "aws-lambda";
import * as z from "zod";
import { InvalidInput } from "../core/outcome.ts";
import { secretsExpiry } from "./configuration.ts";
import { lazy } from "./lazy.ts";
import { log, withLogScope } from "./logger.ts";

/** What a state of a machine hands over: which task, the run it belongs to, and the task's own input. */
const taskEvent = z.object({
  task: z.string(),
  execution: z.string(),
  input: z.record(z.string(), z.unknown()),
  /** When the run began; told to the tasks that may wait. */
  startedAt: z.iso.datetime({ offset: true }).optional(),
  /** What the run was started with. Absent where a run began before a deployment by a definition that did not tell. */
  runInput: z.looseObject({ correlationId: z.string().optional() }).optional(),
});

export interface TaskContext {
  /** ARN of the run: who owns what the task claims. */
  execution: string;
  /** When the run began, in epoch milliseconds; undefined for a task whose state cannot wait. */
  startedMs?: number | undefined;
  /** Milliseconds until the function is stopped. */
  remainingMs: () => number;
}

/** One state's work: parses its input, does one thing, answers what the next state needs. */
export type Task = (input: Record<string, unknown>, context: TaskContext) => Promise<Record<string, unknown>>;

/**
 * The Lambda handler of a workflow: runs the task that the state names. An error's `name` is what `Retry` and
 * `Catch` in the definition match.
 */
export function createTaskHandler<N extends string>(build: () => Promise<Record<N, Task>>): Handler {
  const tasks = lazy(build, secretsExpiry);
  return async (event: unknown, context) => {
    const { task, execution, input, startedAt, runInput } = taskEvent.parse(event);
    // A schedule starts its runs without one.
    const correlationId = runInput?.correlationId ?? execution;
    return withLogScope({ correlationId, task }, async () => {
      try {
        const found = Object.entries<Task>(await tasks()).find(([name]) => name === task);
        if (!found)
          throw new InvalidInput(`No task named ${task}: the state machine and registry/workflows.ts disagree.`);
        const result = await found[1](input, {
          execution,
          startedMs: startedAt === undefined ? undefined : Date.parse(startedAt),
          remainingMs: () => context.getRemainingTimeInMillis(),
        });
        log.info("task.completed", {});
        return result;
      } catch (error) {
        log.error("task.failed", error);
        throw error;
      }
    });
  };
}
