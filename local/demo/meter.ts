import { z } from "zod";
import type { StationProcess, StationReport } from "../station-process.ts";

/** What one flow did, as the station's own counts tell. */
export interface FlowResult {
  received: number;
  done: number;
  suppressed: number;
  deferred: number;
  deadLettered: number;
  vendorCalls: number;
  awsOperations: number;
  seconds: number;
}

type Effect = Pick<FlowResult, "received" | "done" | "suppressed">;

const calls = z.array(z.object({ seq: z.int() }));

/** Measures a flow: runs it, waits until the station is quiet, and takes what was counted meanwhile. */
export async function measureFlow(
  station: StationProcess,
  work: () => Promise<void>,
  effect: (before: StationReport, after: StationReport) => Promise<Effect> | Effect,
): Promise<FlowResult> {
  const before = await station.report();
  const callsBefore = await countVendorCalls(station);
  const startedMs = performance.now();
  await work();
  await station.quiet(120_000);
  const seconds = (performance.now() - startedMs) / 1000;
  const after = await station.report();
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, amount) => total + amount, 0);
  const deferred = (report: StationReport) =>
    sum(Object.fromEntries(Object.entries(report.queues).map(([queue, tally]) => [queue, tally.deferred])));
  return {
    ...(await effect(before, after)),
    deferred: deferred(after) - deferred(before),
    deadLettered: sum(after.deadLetters) - sum(before.deadLetters),
    vendorCalls: (await countVendorCalls(station)) - callsBefore,
    awsOperations: sum(after.operations) - sum(before.operations),
    seconds: Math.round(seconds * 10) / 10,
  };
}

/** Messages of a queue that came to their end between two reports. */
export function queueEffect(queue: string) {
  return (before: StationReport, after: StationReport): Effect => {
    const difference = (field: "received" | "done" | "suppressed") =>
      (after.queues[queue]?.[field] ?? 0) - (before.queues[queue]?.[field] ?? 0);
    return { received: difference("received"), done: difference("done"), suppressed: difference("suppressed") };
  };
}

async function countVendorCalls({ vendors }: StationProcess): Promise<number> {
  const counts = await Promise.all(
    Object.values(vendors).map(
      async (url) => calls.parse(await (await fetch(`${url}/_calls`)).json()).at(-1)?.seq ?? 0,
    ),
  );
  return counts.reduce((total, amount) => total + amount, 0);
}
