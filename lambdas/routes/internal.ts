import { deadLetterUrl, queueUrl, workflowArn } from "../runtime/configuration.ts";
import { lazy } from "../runtime/lazy.ts";
import { createMessageSender } from "../runtime/message-sender.ts";
import { createQueueInspector } from "../runtime/queue-inspector.ts";
import { now, realTable } from "../runtime/real-parts.ts";
import { createWorkflowStarter } from "../runtime/workflow-starter.ts";
import { createZone } from "./door/zone.ts";
import { pulse } from "./pulse.ts";
import { realDoor } from "./real-door.ts";
import { startRun } from "./start-run.ts";

/** Routes for our own servers, which hold the internal secret. */
export const handler = createZone(async () => {
  const table = realTable();
  const workflows = createWorkflowStarter(workflowArn);
  return {
    ...realDoor(table),
    routes: {
      "email-digest": lazy(async () => startRun("digest", { workflows, now })),
      "email-sequence": lazy(async () => startRun("sequence", { workflows, now })),
      pulse: lazy(async () =>
        pulse({
          sender: createMessageSender(queueUrl),
          inspector: createQueueInspector({ urlOf: queueUrl, deadLetterUrlOf: deadLetterUrl, table }),
          now,
        }),
      ),
    },
  };
});
