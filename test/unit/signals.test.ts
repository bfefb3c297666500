import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { Alarms } from "../../infra/alarms.ts";
import { entriesOf } from "../../lambdas/core/record.ts";
import { resolveStation } from "../../lambdas/core/station.ts";
import { createRateLimit } from "../../lambdas/routes/door/rate-limit.ts";
import { count, signal } from "../../lambdas/runtime/metrics.ts";
import { signals } from "../../registry/signals.ts";
import { config } from "../../station.config.ts";

/** CloudWatch's embedded metric format: what turns a log line into a metric. */
const emf = z.looseObject({
  _aws: z.object({
    CloudWatchMetrics: z.tuple([
      z.object({
        Namespace: z.string(),
        Dimensions: z.tuple([z.array(z.string())]),
        Metrics: z.tuple([z.object({ Name: z.string() })]),
      }),
    ]),
  }),
});

const alarm = z.object({
  Properties: z.object({
    Namespace: z.string(),
    MetricName: z.string(),
    Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })),
    AlarmDescription: z.string(),
  }),
});

/** What a function writes when `work` counts something: namespace, name, value and the dimensions with their values. */
async function metricOf(work: () => unknown) {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  const output = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await work();
  const lines = output.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("_aws"));
  output.mockRestore();
  expect(lines).toHaveLength(1);
  const fields = emf.parse(JSON.parse(lines[0] ?? ""));
  const [{ Namespace, Dimensions, Metrics }] = fields._aws.CloudWatchMetrics;
  return {
    namespace: Namespace,
    name: Metrics[0].Name,
    value: fields[Metrics[0].Name],
    dimensions: Object.fromEntries(Dimensions[0].map((name) => [name, fields[name]])),
  };
}

test("each signal's alarm watches the very metric that the functions count: same namespace, name and dimensions", async () => {
  const stack = new Stack(new App({ analyticsReporting: false }), "stack");
  new Alarms(stack, "alarms", { station: resolveStation(config), stage: "test" });
  const alarms = Object.values(Template.fromStack(stack).findResources("AWS::CloudWatch::Alarm")).map(
    (resource) => alarm.parse(resource).Properties,
  );
  expect(alarms).toHaveLength(Object.keys(signals).length);
  for (const [name, { errorImpact }] of entriesOf(signals)) {
    const watched = alarms.find(({ AlarmDescription }) => AlarmDescription === errorImpact);
    expect({
      namespace: watched?.Namespace,
      name: watched?.MetricName,
      value: 1,
      dimensions: Object.fromEntries(watched?.Dimensions.map(({ Name, Value }) => [Name, Value]) ?? []),
    }).toEqual(await metricOf(() => signal(name, {})));
  }
});

test("a count has its own dimensions beside the common ones", async () => {
  expect(await metricOf(() => count("message-done", 3, { queue: "pulse" }))).toEqual({
    namespace: "FluxStation",
    name: "message-done",
    value: 3,
    dimensions: { service: "flux-station", stage: "test", queue: "pulse" },
  });
});

test("a refused request is counted by its bucket, one that is let through is not", async () => {
  const unused = () => Promise.reject(new Error("not expected to be called"));
  // The condition of the update holds once: the bucket has room for one more.
  const answers = [{ hits: 1 }, undefined];
  const table = { get: unused, put: unused, create: unused, update: async () => answers.shift(), remove: unused };
  const limit = createRateLimit({ table, now: () => 0 });
  const metric = await metricOf(async () => {
    await limit.take("email", "192.0.2.1");
    await expect(limit.take("email", "192.0.2.1")).rejects.toMatchObject({ name: "Problem" });
  });
  expect(metric).toEqual({
    namespace: "FluxStation",
    name: "rate-limited",
    value: 1,
    dimensions: { service: "flux-station", stage: "test", rate_limit_bucket: "email" },
  });
});
