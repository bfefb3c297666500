import { makeEnvelope } from "../core/messages.ts";
import { deadLetterUrl, queueUrl, workflowArn } from "../runtime/configuration.ts";
import { lazy } from "../runtime/lazy.ts";
import { createMessageSender } from "../runtime/message-sender.ts";
import { createQueueInspector } from "../runtime/queue-inspector.ts";
import { now, realSupabase, realTable } from "../runtime/real-parts.ts";
import { createWorkflowStarter } from "../runtime/workflow-starter.ts";
import { discordDirect } from "./discord-direct.ts";
import { createZone } from "./door/zone.ts";
import { emailJobLifecycle } from "./email-job-lifecycle.ts";
import { emailTransactional } from "./email-transactional.ts";
import { enqueueItems } from "./enqueue-items.ts";
import { createNotification, type Invalidate } from "./notifications.ts";
import { startSweep } from "./poke.ts";
import { processQueues } from "./process-queues.ts";
import { realDoor } from "./real-door.ts";
import { startRun } from "./start-run.ts";

/** Routes for our own servers, which hold the internal secret. */
export const handler = createZone(async () => {
  const table = realTable();
  const workflows = createWorkflowStarter(workflowArn);
  const sender = createMessageSender(queueUrl);
  const inspector = createQueueInspector({ urlOf: queueUrl, deadLetterUrlOf: deadLetterUrl, table });
  const work = { sender, inspector, now };
  const invalidate: Invalidate = (notificationId, correlationId) =>
    sender.send(
      "revalidation",
      makeEnvelope(
        "revalidation",
        { table: "notifications", change: "INSERT" },
        {
          businessKey: "revalidation/notifications",
          correlationId,
          nowMs: now(),
          idempotency: { scope: "notification", key: notificationId },
        },
      ),
    );
  return {
    ...realDoor(table),
    routes: {
      "email-digest": lazy(async () => startRun("digest", { workflows, now })),
      "email-sequence": lazy(async () => startRun("sequence", { workflows, now })),
      "email-transactional": lazy(async () => emailTransactional({ sender, now })),
      "email-job-lifecycle": lazy(async () => emailJobLifecycle({ sender, now })),
      "create-notification": lazy(async () => createNotification({ supabase: await realSupabase(), now, invalidate })),
      "process-queues": lazy(async () =>
        processQueues({
          inspector,
          requeue: {
            "outbox-sweep": async (correlationId) => {
              await startSweep({ sender, now }, correlationId);
              return 1;
            },
          },
        }),
      ),
      pulse: lazy(async () =>
        enqueueItems("pulse", { ...work, businessKey: ({ interaction_type }) => `pulse/${interaction_type}` }),
      ),
      revalidation: lazy(async () =>
        enqueueItems("revalidation", { ...work, businessKey: ({ table: changed }) => `revalidation/${changed}` }),
      ),
      "changelog-process": lazy(async () =>
        enqueueItems("changelog-process", { ...work, businessKey: ({ webhook_event_id }) => webhook_event_id }),
      ),
      "changelog-notify": lazy(async () =>
        enqueueItems("changelog-notify", { ...work, businessKey: ({ entry_id }) => entry_id }),
      ),
      // The job's id is the group: its changes are worked on one after another.
      "discord-jobs": lazy(async () => enqueueItems("discord-jobs", { ...work, businessKey: ({ job_id }) => job_id })),
      "discord-submissions": lazy(async () =>
        enqueueItems("discord-submissions", { ...work, businessKey: ({ submission_id }) => submission_id }),
      ),
      "discord-direct": lazy(async () => discordDirect({ sender, now })),
      "embedding-process": lazy(async () =>
        enqueueItems("embedding-generation", { ...work, businessKey: ({ content_id }) => content_id }),
      ),
      "image-generation-process": lazy(async () =>
        enqueueItems("image-generation", { ...work, businessKey: ({ type }) => `image/${type}` }),
      ),
    },
  };
});
