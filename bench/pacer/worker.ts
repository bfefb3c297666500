import { setTimeout as sleep } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { Deferred } from "../../lambdas/core/outcome.ts";
import { RateLimited } from "../../lambdas/core/provider-failure.ts";
import { createResend } from "../../lambdas/providers/resend.ts";
import { createPacer } from "../../lambdas/runtime/pacer.ts";
import { createStateTable } from "../../lambdas/runtime/state-table.ts";
import { createSeededRandom } from "../../local/vendors/seeded-random.ts";
import { fromParent, type WorkerReport, workerTask } from "./messages.ts";
import { apiKey, benchAws, tableName } from "./settings.ts";

/** One worker process: sends mails through the real provider and pacer until it is told to stop. */
const task = workerTask.parse(JSON.parse(process.argv[2] ?? ""));
const now = Date.now;
const random = createSeededRandom(task.seed);
const table = createStateTable(tableName, now, new DynamoDBClient({ ...benchAws, endpoint: task.tableUrl }));
const pacer = createPacer({ provider: "resend", table, callsPerSecond: 2, now });
const resend = createResend({ apiKey, baseUrl: task.resendUrl, timeoutMs: 10_000, pacer, now });
const report: WorkerReport = { waits: [], deferred: 0, stallMs: 0, failures: [] };
let sent = 0;

async function sendOne(): Promise<void> {
  const askedMs = now();
  try {
    await resend.acquire(task.urgency);
    report.waits.push({ askedMs, waitedMs: now() - askedMs });
    const heldBackMs = random() * task.jitterMs;
    const leavesMs = now() + heldBackMs;
    await sleep(heldBackMs);
    report.stallMs = Math.max(report.stallMs, Math.round(now() - leavesMs));
    sent += 1;
    const mail = {
      from: "Directory <hello@example.com>",
      to: `reader-${task.seed}-${sent}@example.com`,
      subject: "News",
      html: "<p>News</p>",
      text: "News",
      headers: {},
      tags: [],
    };
    await resend.sendMail(mail, `bench/${task.seed}/${sent}`);
  } catch (error) {
    // The vendor's own log counts refusals.
    if (error instanceof RateLimited) return;
    if (error instanceof Deferred) report.deferred += 1;
    else report.failures.push(String(error));
  }
}

async function keepSending(): Promise<void> {
  for (;;) {
    await sendOne();
    if (task.pauseMs > 0) await sleep(random() * task.pauseMs);
  }
}

process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  if (fromParent.parse(message) === "stop") process.send?.(report, () => process.exit());
  else for (let each = 0; each < task.inHand; each += 1) void keepSending();
});
process.send?.({ ready: "" });
