import * as z from "zod";
import { queues } from "../../registry/queues.ts";
import type { WorkflowName } from "../../registry/workflows.ts";
import type { Envelope, Payload } from "../core/messages.ts";
import { physicalName, workerName } from "../core/names.ts";
import type { Settled } from "../core/outcome.ts";
import { entriesOf } from "../core/record.ts";
import { isStuck, longestLeaseMs, mostResumptions, resumedName } from "../core/stuck-run.ts";
import { digestWeek } from "../core/week.ts";
import { stage, station, workflowArn } from "../runtime/configuration.ts";
import { createEventSourceMappings, type EventSourceMappings } from "../runtime/event-source-mappings.ts";
import { createHolds, type Holds } from "../runtime/holds.ts";
import { log } from "../runtime/logger.ts";
import { count, signal } from "../runtime/metrics.ts";
import { now, realTable } from "../runtime/real-parts.ts";
import { createWorker } from "../runtime/worker.ts";
import { createWorkflowRuns, type StoppedRun, type WorkflowRuns } from "../runtime/workflow-runs.ts";
import { createWeekClaims, type WeekClaims } from "../tasks/digest/week-claim.ts";

interface SweepParts {
  holds: Holds;
  mappings: EventSourceMappings;
  runs: WorkflowRuns;
  claims: Pick<WeekClaims, "read">;
  stage: string;
  /** IANA zone of the digest's weeks. */
  timeZone: string;
  now: () => number;
}

/** The error a run is stopped with: how a later sweep knows which runs it has to start again. */
const stuck = "Stuck";
/** A run that could not be started again for so long, its lease and our own outages included, is the operator's. */
const resumableForMs = 24 * 3_600_000;

/**
 * The alarms on a queue's backlog do not ring while this is counted. A hold that lasts for longer is one that somebody
 * forgot, or that SQS will not wait for: it drops a message after 14 days.
 */
const silentForMs = 7 * 86_400_000;

/** Itself it must not switch off: nobody would switch it on again. */
const feeds = entriesOf(queues)
  .map(([queue]) => queue)
  .filter((queue) => queue !== "recovery-sweep");
const recovered: readonly WorkflowName[] = queues["recovery-sweep"].uses.recovers;

/**
 * Makes real what the holds say, and looks for runs that hang. Both parts may be repeated and interrupted at any line;
 * neither keeps the other from its work.
 */
export function createRecoverySweepHandler(parts: SweepParts) {
  return async (message: Envelope<Payload<"recovery-sweep">>): Promise<Settled> => {
    const dueMs = Date.parse(message.occurredAt);
    await all([keepHolds(parts), ...recovered.map((workflow) => recoverRuns(parts, workflow, dueMs))]);
    return "done";
  };
}

/** Queues on hold get no messages out, the others do. What changes its state just now is left for the next sweep. */
async function keepHolds({ holds, mappings, stage, now }: SweepParts): Promise<void> {
  const present = await mappings.list();
  await all(
    feeds.map(async (queue) => {
      const mapping = present.find(({ functionName }) => functionName === physicalName(stage, workerName(queue)));
      // So for a moment while a new queue is deployed; later on the alarm on the queue's backlog would ring.
      if (!mapping) return log.warn("queue.unfed", { queue });
      const hold = await holds.read(queue);
      if (hold && now() - hold.placedAtMs < silentForMs) count("queue-on-hold", 1, { queue });
      if (mapping.state !== (hold ? "Enabled" : "Disabled")) return;
      await mappings.setEnabled(mapping.uuid, !hold);
      if (!hold) return log.info("queue.resumed", { queue });
      const until = hold.untilMs === null ? null : new Date(hold.untilMs).toISOString();
      const facts = { queue, until, reason: hold.reason, by: hold.by };
      if (hold.by === "station") signal("queue-held", facts);
      else log.info("queue.held", facts);
    }),
  );
}

/** First stops what hangs, then starts again what was stopped, at once or by one of the next sweeps. */
async function recoverRuns(parts: SweepParts, workflow: WorkflowName, dueMs: number): Promise<void> {
  const { runs, now } = parts;
  const { deadlineMinutes = Number.POSITIVE_INFINITY } = station.workflows[workflow];
  for (const run of await runs.running(workflow)) {
    // Its history is read only of a run that is old enough.
    if (!isStuck(run.startedMs, dueMs, deadlineMinutes)) continue;
    if (!isStuck(await runs.workingSince(run), dueMs, deadlineMinutes)) continue;
    const facts = { workflow, run: run.name, startedAt: new Date(run.startedMs).toISOString(), deadlineMinutes };
    if (resumedName(run.name) === undefined) {
      signal("run-abandoned", facts);
      await runs.stop(run, "Abandoned", `It hung again after ${mostResumptions} new starts: see the runbook.`);
    } else {
      log.warn("run.stuck", facts);
      await runs.stop(run, stuck, `It was at work for more than ${deadlineMinutes} minutes; it is started again.`);
    }
  }
  for (const run of await runs.stoppedWith(workflow, stuck, now() - resumableForMs)) {
    const name = resumedName(run.name);
    if (name === undefined || !(await mayGoOn(parts, workflow, run))) continue;
    if (await runs.start(workflow, name, run.input)) signal("run-resumed", { workflow, run: name, stopped: run.name });
  }
}

const runInput = z.looseObject({ scheduledTime: z.iso.datetime({ offset: true }), rehearsal: z.boolean().optional() });

/**
 * What a stopped run has in hand is its own until its lease is over: whoever starts before would only join a digest,
 * and leave out a batch of the sequence. If another run has the week by then, or it was sent, there is nothing to go on
 * with.
 */
async function mayGoOn({ claims, timeZone, now }: SweepParts, workflow: WorkflowName, run: StoppedRun) {
  if (workflow !== "digest") return now() - run.stoppedMs > longestLeaseMs;
  const { scheduledTime, rehearsal } = runInput.parse(JSON.parse(run.input));
  if (rehearsal) return true;
  const claim = await claims.read(digestWeek(Date.parse(scheduledTime), timeZone).week);
  if (!claim) return true;
  return claim.owner === run.arn && claim.state === "running" && claim.leaseUntilMs < now();
}

/** Waits for all, then throws the first failure: none of them keeps another from its end. */
async function all(works: Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

export const handler = createWorker("recovery-sweep", async () => {
  const table = realTable();
  return {
    table,
    now,
    handle: createRecoverySweepHandler({
      holds: createHolds({ table, now }),
      mappings: createEventSourceMappings(),
      runs: createWorkflowRuns(workflowArn),
      claims: createWeekClaims({ table, now }),
      stage: stage(),
      timeZone: station.config.digest.timeZone,
      now,
    }),
  };
});
