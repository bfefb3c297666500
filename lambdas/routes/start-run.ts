import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { WorkflowName } from "../../registry/workflows.ts";
import { messageId } from "../core/messages.ts";
import type { WorkflowStarter } from "../runtime/workflow-starter.ts";
import { acceptedReply } from "./door/reply.ts";
import { parsedBody } from "./door/request.ts";
import type { Route } from "./door/zone.ts";

export const runWish = z.object({
  /** When the run is due; now, unless a run that was missed is made up for. */
  scheduled_time: z.iso.datetime({ offset: true }).optional(),
  mode: z.enum(["broadcast", "batch"]).optional(),
});

/** Starts a run of a workflow by hand. With an Idempotency-Key, a repetition names the same run and starts none. */
export const startRun =
  (workflow: WorkflowName, { workflows, now }: { workflows: WorkflowStarter; now: () => number }): Route =>
  async (request) => {
    const { scheduled_time, mode } = request.body.byteLength > 0 ? parsedBody(request, runWish) : {};
    const key = request.headers["idempotency-key"];
    const name = key ? messageId(`start/${workflow}`, key) : randomUUID();
    await workflows.start(workflow, name, {
      scheduledTime: scheduled_time ?? new Date(now()).toISOString(),
      correlationId: request.correlationId,
      ...(mode ? { mode } : {}),
    });
    return acceptedReply(name, request.correlationId);
  };
