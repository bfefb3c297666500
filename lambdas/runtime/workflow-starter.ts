import {
  ExecutionAlreadyExists,
  SFNClient,
  StartExecutionCommand,
  StartSyncExecutionCommand,
} from "@aws-sdk/client-sfn";
import type { WorkflowName } from "../../registry/workflows.ts";
import { patience } from "./patience.ts";

/** Longer than the limit of any Express machine, whose whole run is one call. */
const longestRunMs = 80_000;

export interface WorkflowStarter {
  /** Starts a run; the same name again is the same run. */
  start(workflow: WorkflowName, name: string, input: Record<string, unknown>): Promise<{ started: boolean }>;
  /** Runs an Express workflow to its end; throws when it did not succeed. */
  run(workflow: WorkflowName, input: Record<string, unknown>): Promise<void>;
}

/** A workflow's run ended in a failure that its own definition did not catch. */
class WorkflowFailed extends Error {
  override name = "WorkflowFailed";
}

export function createWorkflowStarter(
  arnOf: (workflow: WorkflowName) => string,
  client = new SFNClient({ requestHandler: { ...patience.requestHandler, requestTimeout: longestRunMs } }),
): WorkflowStarter {
  return {
    async start(workflow, name, input) {
      try {
        await client.send(
          new StartExecutionCommand({ stateMachineArn: arnOf(workflow), name, input: JSON.stringify(input) }),
        );
        return { started: true };
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return { started: false };
        throw error;
      }
    },
    async run(workflow, input) {
      const { status, error, cause } = await client.send(
        new StartSyncExecutionCommand({ stateMachineArn: arnOf(workflow), input: JSON.stringify(input) }),
      );
      if (status !== "SUCCEEDED")
        throw new WorkflowFailed(`${workflow} ended ${status}: ${error ?? ""} ${cause ?? ""}`.trim());
    },
  };
}
