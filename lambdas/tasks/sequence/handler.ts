import type { workflows } from "../../../registry/workflows.ts";
import { optionalSecret, publicApiUrl, requiredSecrets, station } from "../../runtime/configuration.ts";
import { createMailLedger } from "../../runtime/mail-ledger.ts";
import { now, realFlags, realHeartbeat, realResend, realSupabase, realTable } from "../../runtime/real-parts.ts";
import { reportHeartbeat } from "../../runtime/report-heartbeat.ts";
import { createTaskHandler, type Task } from "../../runtime/task.ts";
import type { SequenceParts } from "./parts.ts";
import { sendDue } from "./send-due.ts";
import { suppressDue } from "./suppress-due.ts";

type SequenceTask = (typeof workflows)["sequence"]["tasks"][number];

export const sequenceTasks = (parts: SequenceParts): Record<SequenceTask, Task> => ({
  "suppress-due": suppressDue(parts),
  "send-due": sendDue(parts),
  "report-heartbeat": reportHeartbeat(parts),
});

export const handler = createTaskHandler(async () => {
  const table = realTable();
  const { unsubscribeKey } = await requiredSecrets(["unsubscribeKey", "resendApiKey", "supabaseServiceRoleKey"]);
  const { brand, senders } = station.config;
  return sequenceTasks({
    supabase: await realSupabase(),
    resend: await realResend(table),
    ledger: createMailLedger({ table, now }),
    flags: await realFlags(),
    heartbeat: realHeartbeat(),
    heartbeatId: await optionalSecret("heartbeatSequenceId"),
    settings: { brand, senders, apiUrl: publicApiUrl(), unsubscribeKey },
    now,
  });
});
