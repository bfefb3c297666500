import type { Envelope, Payload } from "../core/messages.ts";
import type { Settled } from "../core/outcome.ts";
import { workflowArn } from "../runtime/configuration.ts";
import { now, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";
import { createWorkflowStarter, type WorkflowStarter } from "../runtime/workflow-starter.ts";

/** Runs the workflow for the contact and acknowledges only what succeeded. The FIFO group keeps others out meanwhile. */
export function createSegmentSyncHandler({ workflows }: { workflows: WorkflowStarter }) {
  return async ({ payload, correlationId, id, firstSeenAt }: Envelope<Payload<"segment-sync">>): Promise<Settled> => {
    const { subscriptionId } = payload;
    await workflows.run("segment-sync", { subscriptionId, correlationId, messageId: id, firstSeenAt });
    return "done";
  };
}

export const handler = createWorker("segment-sync", async () => ({
  table: realTable(),
  now,
  handle: createSegmentSyncHandler({ workflows: createWorkflowStarter(workflowArn) }),
}));
