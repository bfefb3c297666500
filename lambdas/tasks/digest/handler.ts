import type { workflows } from "../../../registry/workflows.ts";
import { optionalSecret, publicApiUrl, requiredSecrets, stage, station } from "../../runtime/configuration.ts";
import { createMailLedger } from "../../runtime/mail-ledger.ts";
import { now, realFlags, realHeartbeat, realResend, realSupabase, realTable } from "../../runtime/real-parts.ts";
import { reportHeartbeat } from "../../runtime/report-heartbeat.ts";
import { createTaskHandler, type Task } from "../../runtime/task.ts";
import { claimWeek } from "./claim-week.ts";
import { createDigestContent } from "./content.ts";
import { deliverBatches } from "./deliver-batches.ts";
import { deliverBroadcast } from "./deliver-broadcast.ts";
import { fetchDigest } from "./fetch-digest.ts";
import type { DigestParts } from "./parts.ts";
import { recordDigest } from "./record-digest.ts";
import { rehearseDigest } from "./rehearse-digest.ts";
import { releaseWeek } from "./release-week.ts";
import { sittingOut } from "./sit-out.ts";
import { useLastGood } from "./use-last-good.ts";
import { createWeekClaims } from "./week-claim.ts";

type DigestTask = (typeof workflows)["digest"]["tasks"][number];

export const digestTasks = (parts: DigestParts): Record<DigestTask, Task> => ({
  "claim-week": claimWeek(parts),
  "fetch-digest": fetchDigest(parts),
  "rehearse-digest": rehearseDigest(parts),
  "use-last-good": useLastGood(parts),
  "deliver-broadcast": sittingOut(parts, deliverBroadcast(parts)),
  "deliver-batches": sittingOut(parts, deliverBatches(parts)),
  "record-digest": sittingOut(parts, recordDigest(parts)),
  "report-heartbeat": reportHeartbeat(parts),
  "release-week": releaseWeek(parts),
});

export const handler = createTaskHandler(async () => {
  const table = realTable();
  const { unsubscribeKey } = await requiredSecrets(["unsubscribeKey", "resendApiKey", "supabaseServiceRoleKey"]);
  const { brand, senders, resend: audience, digest } = station.config;
  return digestTasks({
    supabase: await realSupabase(),
    resend: await realResend(table),
    ledger: createMailLedger({ table, now }),
    flags: await realFlags(),
    heartbeat: realHeartbeat(),
    heartbeatId: await optionalSecret("heartbeatDigestId"),
    table,
    claims: createWeekClaims({ table, now }),
    content: createDigestContent({ table, now }),
    settings: { brand, senders, apiUrl: publicApiUrl(), unsubscribeKey },
    audience,
    digest,
    stage: stage(),
    now,
  });
});
