import type { workflows } from "../../../registry/workflows.ts";
import { queueUrl, requiredSecrets, station } from "../../runtime/configuration.ts";
import { createMessageSender } from "../../runtime/message-sender.ts";
import { now, realResend, realSupabase, realTable } from "../../runtime/real-parts.ts";
import { createTaskHandler, type Task } from "../../runtime/task.ts";
import { applyChange } from "./apply-change.ts";
import type { SegmentParts } from "./parts.ts";
import { readContact } from "./read-contact.ts";
import { recoverLater } from "./recover-later.ts";
import { createSegmentStates } from "./segment-states.ts";
import { storeEvidence } from "./store-evidence.ts";

type SegmentTask = (typeof workflows)["segment-sync"]["tasks"][number];

export const segmentTasks = (parts: SegmentParts): Record<SegmentTask, Task> => ({
  "read-contact": readContact(parts),
  "apply-change": applyChange(parts),
  "store-evidence": storeEvidence(parts),
  "recover-later": recoverLater(parts),
});

export const handler = createTaskHandler(async () => {
  const table = realTable();
  await requiredSecrets(["resendApiKey", "supabaseServiceRoleKey"]);
  return segmentTasks({
    supabase: await realSupabase(),
    resend: await realResend(table),
    sender: createMessageSender(queueUrl),
    states: createSegmentStates({ table, now }),
    segmentIds: station.config.resend.segments,
    now,
  });
});
