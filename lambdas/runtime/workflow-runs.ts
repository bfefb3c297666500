import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  type HistoryEvent,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import type { WorkflowName } from "../../registry/workflows.ts";
import { patience } from "./patience.ts";

/** A run of a Standard workflow. */
export interface WorkflowRun {
  arn: string;
  name: string;
  startedMs: number;
}

export interface StoppedRun extends WorkflowRun {
  stoppedMs: number;
  /** JSON text, as it was started with. */
  input: string;
}

/** Looks at the runs of Standard workflows, stops them and starts them again. */
export interface WorkflowRuns {
  running(workflow: WorkflowName): Promise<WorkflowRun[]>;
  /** When the run began to work: at its start, or when its latest waiting state ended. Undefined while it waits. */
  workingSince(run: WorkflowRun): Promise<number | undefined>;
  /** Ends a run at once with this error. A task that it has called goes on until its function ends. */
  stop(run: WorkflowRun, error: string, cause: string): Promise<void>;
  /** The latest runs, after `sinceMs`, that were stopped with this error. */
  stoppedWith(workflow: WorkflowName, error: string, sinceMs: number): Promise<StoppedRun[]>;
  /** False when there is, or was, a run of this name: then nothing is started. */
  start(workflow: WorkflowName, name: string, input: string): Promise<boolean>;
}

/** Of the runs that were stopped, how many are looked at: hardly ever is there one. */
const stoppedLookedAt = 50;

export function createWorkflowRuns(
  arnOf: (workflow: WorkflowName) => string,
  client = new SFNClient(patience),
): WorkflowRuns {
  const exists = async (workflow: WorkflowName, name: string): Promise<boolean> => {
    for (const run of await running(workflow)) if (run.name === name) return true;
    return false;
  };
  const running: WorkflowRuns["running"] = async (workflow) => {
    const runs: WorkflowRun[] = [];
    const pages = paginateListExecutions({ client }, { stateMachineArn: arnOf(workflow), statusFilter: "RUNNING" });
    for await (const { executions = [] } of pages) runs.push(...executions.flatMap(asRun));
    return runs;
  };
  return {
    running,
    async workingSince({ arn, startedMs }) {
      const pages = paginateGetExecutionHistory(
        { client, pageSize: 1000 },
        { executionArn: arn, reverseOrder: true, includeExecutionData: false },
      );
      for await (const { events = [] } of pages) {
        const latest = events.find(isOfWaiting);
        if (latest?.type === "WaitStateEntered") return undefined;
        if (latest?.timestamp) return latest.timestamp.getTime();
      }
      return startedMs;
    },
    async stop({ arn }, error, cause) {
      await client.send(new StopExecutionCommand({ executionArn: arn, error, cause }));
    },
    async stoppedWith(workflow, error, sinceMs) {
      const { executions = [] } = await client.send(
        new ListExecutionsCommand({
          stateMachineArn: arnOf(workflow),
          statusFilter: "ABORTED",
          maxResults: stoppedLookedAt,
        }),
      );
      const stopped: StoppedRun[] = [];
      for (const execution of executions) {
        const stoppedMs = execution.stopDate?.getTime() ?? 0;
        if (stoppedMs < sinceMs) continue;
        const described = await client.send(new DescribeExecutionCommand({ executionArn: execution.executionArn }));
        if (described.error !== error) continue;
        for (const run of asRun(execution)) stopped.push({ ...run, stoppedMs, input: described.input ?? "{}" });
      }
      return stopped;
    },
    async start(workflow, name, input) {
      // Step Functions takes a second start of a run under way for the first one, and does not tell.
      if (await exists(workflow, name)) return false;
      try {
        await client.send(new StartExecutionCommand({ stateMachineArn: arnOf(workflow), name, input }));
        return true;
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return false;
        throw error;
      }
    },
  };
}

const isOfWaiting = ({ type }: HistoryEvent): boolean => type === "WaitStateEntered" || type === "WaitStateExited";

function asRun({
  executionArn,
  name,
  startDate,
}: {
  executionArn?: string | undefined;
  name?: string | undefined;
  startDate?: Date | undefined;
}): WorkflowRun[] {
  return executionArn && name && startDate ? [{ arn: executionArn, name, startedMs: startDate.getTime() }] : [];
}
