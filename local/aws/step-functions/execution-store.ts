import { AwsError } from "../json-protocol.ts";
import type { History } from "./execution-history.ts";
import type { ExecutionOutcome } from "./run-execution.ts";

/** How long a closed execution can be described, and its name is taken. */
const RETENTION_MS = 90 * 24 * 60 * 60 * 1000;

export interface StandardExecution {
  arn: string;
  name: string;
  machineArn: string;
  /** JSON text. */
  input: string;
  startMs: number;
  history: History;
  abort: (reason: { error?: string | undefined; cause?: string | undefined }) => void;
  outcome: Promise<ExecutionOutcome>;
  /** Set when the execution has ended. */
  closed?: { outcome: ExecutionOutcome; stopMs: number };
}

export interface ExecutionStore {
  /**
   * The running execution of this name and input, which a second start joins, or undefined when the name is free.
   * @throws AwsError ExecutionAlreadyExists
   */
  findToJoin: (arn: string, input: string) => StandardExecution | undefined;
  add: (execution: StandardExecution) => void;
  /** @throws AwsError ExecutionDoesNotExist */
  get: (arn: string) => StandardExecution;
  /** Newest first. */
  list: (machineArn: string) => StandardExecution[];
}

/** Standard executions in memory, by ARN, with the rules AWS has for their names. */
export function createExecutionStore(options: { now: () => number }): ExecutionStore {
  const executions = new Map<string, StandardExecution>();
  const forgetOld = () => {
    const oldestMs = options.now() - RETENTION_MS;
    for (const [arn, { closed }] of executions) if (closed && closed.stopMs < oldestMs) executions.delete(arn);
  };
  return {
    findToJoin: (arn, input) => {
      forgetOld();
      const existing = executions.get(arn);
      if (existing === undefined) return undefined;
      if (existing.closed === undefined && existing.input === input) return existing;
      throw new AwsError("ExecutionAlreadyExists", `Execution Already Exists: '${arn}'`);
    },
    add: (execution) => {
      executions.set(execution.arn, execution);
    },
    get: (arn) => {
      forgetOld();
      const execution = executions.get(arn);
      if (execution === undefined) throw new AwsError("ExecutionDoesNotExist", `Execution Does Not Exist: '${arn}'`);
      return execution;
    },
    list: (machineArn) => {
      forgetOld();
      return [...executions.values()]
        .filter((execution) => execution.machineArn === machineArn)
        .sort((a, b) => b.startMs - a.startMs);
    },
  };
}
