import { afterEach, expect, test, vi } from "vitest";
import { applyChange } from "../../lambdas/tasks/segment-sync/apply-change.ts";
import { createSegmentStates } from "../../lambdas/tasks/segment-sync/segment-states.ts";
import { config } from "../../station.config.ts";
import { startSegmentVendor } from "./segment-vendor.ts";
import { createClock, startState } from "./state.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const close of cleanups.splice(0)) await close();
});

/** What CloudWatch would count of the lines written while `work` went on, by metric. */
async function countedDuring(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const output = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await work();
  const lines = output.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("_aws"));
  output.mockRestore();
  const counted: Record<string, number> = {};
  for (const line of lines) {
    const fields = JSON.parse(line);
    const name: string = fields._aws.CloudWatchMetrics[0].Metrics[0].Name;
    counted[name] = (counted[name] ?? 0) + fields[name];
  }
  return counted;
}

test("what is counted of a contact's segments are the calls that Resend answered, a repeated attempt's list too", async () => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  const { now } = createClock();
  const { segments } = config.resend;
  const state = await startState();
  const vendor = await startSegmentVendor(now, 80);
  cleanups.push(state.close, vendor.close);
  const { resend, contactId } = vendor;
  const states = createSegmentStates({ table: state.open(now), now });
  const subscriptionId = crypto.randomUUID();
  await states.markClean(subscriptionId, "medium-engagement");

  const apply = (provider: typeof resend) =>
    applyChange({
      resend: provider,
      states,
      segmentIds: segments,
      now,
      supabase: { call: () => Promise.reject(new Error("not asked here")) },
      sender: { send: () => Promise.resolve(), sendAll: () => Promise.resolve([]) },
    })(
      { subscriptionId, contactId, score: 80, target: "high-engagement", listFirst: false },
      { execution: "run", remainingMs: () => 50_000 },
    );

  const cutOff = await countedDuring(async () => {
    const dies = { ...resend, removeFromSegment: () => Promise.reject(new Error("the function was stopped")) };
    await expect(apply(dies)).rejects.toThrow("stopped");
  });
  expect(cutOff).toEqual({ "segments-add": 1 });

  let answer: unknown;
  const repeated = await countedDuring(async () => {
    answer = await apply(resend);
  });
  expect(repeated).toEqual({ "segments-list": 1, "segments-remove": 1 });
  expect(answer).toEqual({ retryAttempt: 1, calls: 2 });
  expect(await resend.listSegments(contactId)).toEqual([segments["high-engagement"]]);
});
