import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import { isStuck, mostResumptions, resumedName } from "../../lambdas/core/stuck-run.ts";
import type { EventSourceMapping, EventSourceMappings } from "../../lambdas/runtime/event-source-mappings.ts";
import type { Holds, PlacedHold } from "../../lambdas/runtime/holds.ts";
import type { WorkflowRuns } from "../../lambdas/runtime/workflow-runs.ts";
import { createRecoverySweepHandler } from "../../lambdas/workers/recovery-sweep.ts";
import { type QueueName, queues } from "../../registry/queues.ts";

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;
const nowMs = Date.parse("2026-11-24T12:00:00Z");

let output: string[];
beforeEach(() => {
  output = [];
  vi.stubEnv("STATION_STAGE", "test");
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.spyOn(process.stdout, "write").mockImplementation((line) => output.push(String(line)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const sweep = makeEnvelope("recovery-sweep", {}, { businessKey: "recovery-sweep", correlationId: "sweep-1", nowMs });

const noRuns: WorkflowRuns = {
  running: async () => [],
  workingSince: async () => undefined,
  stop: () => Promise.reject(new Error("nothing is to be stopped")),
  stoppedWith: async () => [],
  start: () => Promise.reject(new Error("nothing is to be started")),
};

const holdOn = (queue: QueueName, fields: Partial<PlacedHold> = {}): PlacedHold => ({
  queue,
  untilMs: nowMs + 60 * minuteMs,
  reason: "no quota",
  by: "station",
  placedAtMs: nowMs - minuteMs,
  ...fields,
});

/** The mappings of the stage, all enabled but for those that are said to be otherwise, and those of another station. */
function station(
  options: {
    states?: Partial<Record<QueueName, string>>;
    holds?: PlacedHold[];
    broken?: QueueName[];
    without?: QueueName;
  } = {},
) {
  const changes: string[] = [];
  const all: EventSourceMapping[] = ["test", "other"].flatMap((stage) =>
    Object.keys(queues).map((queue) => ({
      uuid: `${stage}/${queue}`,
      functionName: `${stage}-flux-${queue}-worker`,
      state: (options.states as Record<string, string> | undefined)?.[queue] ?? "Enabled",
    })),
  );
  const mappings: EventSourceMappings = {
    list: async () => all.filter(({ uuid }) => uuid !== `test/${options.without}`),
    setEnabled: async (uuid, enabled) => {
      if (options.broken?.some((queue) => uuid.endsWith(`/${queue}`))) throw new Error(`${uuid} is in use`);
      changes.push(`${enabled ? "+" : "-"}${uuid}`);
    },
  };
  const holds: Holds = {
    place: async () => true,
    lift: async () => undefined,
    read: async (queue) => options.holds?.find((hold) => hold.queue === queue),
  };
  const run = (runs: WorkflowRuns = noRuns) =>
    createRecoverySweepHandler({
      holds,
      mappings,
      runs,
      claims: { read: async () => undefined },
      stage: "test",
      timeZone: "UTC",
      now: () => nowMs,
    })(sweep);
  return { run, changes };
}

const metrics = () => output.filter((line) => line.includes("queue-on-hold"));

describe("the recovery sweep", () => {
  test("changes nothing while everything is as it should be", async () => {
    const { run, changes } = station();
    expect(await run()).toBe("done");
    expect(changes).toEqual([]);
  });

  test("switches off what is on hold and on again what is not, of its own stage only", async () => {
    const { run, changes } = station({ holds: [holdOn("email")], states: { pulse: "Disabled" } });
    await run();
    expect(changes.sort()).toEqual(["+test/pulse", "-test/email"]);
  });

  test("leaves alone what has been switched off, and what is on its way", async () => {
    for (const state of ["Disabled", "Disabling", "Updating", "Creating"]) {
      const { run, changes } = station({ holds: [holdOn("email")], states: { email: state } });
      await run();
      expect(changes, state).toEqual([]);
    }
    for (const state of ["Enabling", "Disabling", "Updating"]) {
      const { run, changes } = station({ states: { email: state } });
      await run();
      expect(changes, state).toEqual([]);
    }
  });

  test("never switches off itself, whatever hold there is", async () => {
    const { run, changes } = station({ holds: [holdOn("recovery-sweep")] });
    await run();
    expect(changes).toEqual([]);
  });

  test("goes on when a queue has no mapping yet, as in the middle of a deployment", async () => {
    const { run, changes } = station({ holds: [holdOn("email"), holdOn("pulse")], without: "email" });
    expect(await run()).toBe("done");
    expect(changes).toEqual(["-test/pulse"]);
  });

  test("serves the other queues when one cannot be changed, and fails so that it is tried again", async () => {
    const { run, changes } = station({ holds: [holdOn("email"), holdOn("pulse")], broken: ["email"] });
    await expect(run()).rejects.toThrow("test/email is in use");
    expect(changes).toEqual(["-test/pulse"]);
  });

  test("looks after the runs although Lambda does not answer, and after the holds although Step Functions does not", async () => {
    const { run, changes } = station({ holds: [holdOn("email")] });
    await expect(run({ ...noRuns, running: () => Promise.reject(new Error("throttled")) })).rejects.toThrow(
      "throttled",
    );
    expect(changes).toEqual(["-test/email"]);
    const stopped: string[] = [];
    const hung = {
      ...noRuns,
      running: async () => [{ arn: "arn", name: "run", startedMs: nowMs - dayMs }],
      workingSince: async () => nowMs - dayMs,
      stop: async (each: { name: string }) => void stopped.push(each.name),
    };
    await expect(station({ holds: [holdOn("email")], broken: ["email"] }).run(hung)).rejects.toThrow("in use");
    expect(stopped).toEqual(["run", "run"]);
  });

  test("keeps the backlog's alarms silent for a week, not for as long as a forgotten hold", async () => {
    await station({ holds: [holdOn("email", { untilMs: null, placedAtMs: nowMs - 6 * dayMs })] }).run();
    expect(metrics()).toHaveLength(1);
    // The dimensions of the metric that the alarms take into account, see infra/alarms.ts.
    const { _aws, ...values } = JSON.parse(metrics()[0] ?? "{}");
    expect(_aws.CloudWatchMetrics[0].Dimensions[0].toSorted()).toEqual(["queue", "service", "stage"]);
    expect(values).toMatchObject({ queue: "email", service: "flux-station", stage: "test", "queue-on-hold": 1 });
    output = [];
    await station({ holds: [holdOn("email", { untilMs: null, placedAtMs: nowMs - 8 * dayMs })] }).run();
    expect(metrics()).toEqual([]);
  });
});

describe("a stuck run", () => {
  test("is one that has worked for longer than its deadline; one that waits is none", () => {
    expect(isStuck(nowMs - 240 * minuteMs, nowMs, 240)).toBe(false);
    expect(isStuck(nowMs - 240 * minuteMs - 1, nowMs, 240)).toBe(true);
    expect(isStuck(undefined, nowMs, 240)).toBe(false);
  });

  test("goes on under a name that follows from its own, as often as is allowed", () => {
    let name: string | undefined = "5a3c";
    const names: string[] = [];
    for (; name; name = resumedName(name)) names.push(name);
    expect(names).toEqual(["5a3c", "5a3c-resumed-1", "5a3c-resumed-2", "5a3c-resumed-3"]);
    expect(names).toHaveLength(mostResumptions + 1);
  });

  test("keeps within the 80 characters of a name, also the second time", () => {
    const once = resumedName("x".repeat(80)) ?? "";
    expect(once).toHaveLength(80);
    expect(resumedName(once)).toBe(once.replace(/1$/, "2"));
  });
});
