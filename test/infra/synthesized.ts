import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { synthesize } from "../../infra/synthesize.ts";
import { resolveStation, type Station, type StationConfig } from "../../lambdas/core/station.ts";
import { templateIntrinsics } from "../../local/assembly/intrinsics.ts";
import { type Assembly, readAssembly } from "../../local/assembly/read-assembly.ts";
import { localAttributes } from "../../local/assembly/resource-attributes.ts";
import { config } from "../../station.config.ts";

/** What an adopter could write: each value differs from the default, so that a test sees whether it arrives. */
export const adoptersConfig: StationConfig = {
  ...config,
  allowedOrigins: ["https://directory.example.com", "https://preview.example.com"],
  digest: { ...config.digest, timeZone: "Europe/Berlin" },
  schedules: {
    "weekly-digest": { expression: "cron(30 7 ? * TUE *)" },
    "digest-rehearsal": { enabled: false },
  },
  flags: { "digest-one-at-a-time": true },
  alarms: { email: "operator@example.com" },
  logs: { retentionDays: 90, level: "WARN" },
};

const templateFile = z.object({
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      Properties: z.record(z.string(), z.unknown()).default({}),
      DeletionPolicy: z.string().optional(),
    }),
  ),
});

export interface SynthesizedStack {
  station: Station;
  assembly: Assembly;
  /** Resources of a type with their properties as far as `shape` asks for them; intrinsics are names and ARNs. */
  of<S extends z.ZodType>(type: string, shape: S): z.infer<S>[];
  /** `DeletionPolicy` of every resource of a type. */
  deletionPolicies(type: string): (string | undefined)[];
  countByType(): Record<string, number>;
  remove(): Promise<void>;
}

/** Synthesizes the stack of `stationConfig` into a folder of its own. */
export async function synthesizeStack(stationConfig: StationConfig): Promise<SynthesizedStack> {
  const folder = await mkdtemp(join(tmpdir(), "infra-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  const station = resolveStation(stationConfig);
  const outdir = join(folder, "cdk.out");
  try {
    await synthesize(station, { outdir, bundleDir: join(folder, "functions"), stage: "test" });
  } catch (error) {
    await remove();
    throw error;
  }
  const assembly = await readAssembly(outdir);
  const text = await readFile(join(outdir, "flux-station.template.json"), "utf8");
  const resources = Object.values(templateFile.parse(JSON.parse(text)).Resources);
  const addresses = localAttributes({ sqs: "https://sqs.example.com", api: "https://api.example.com" });
  const intrinsics = templateIntrinsics(assembly.template, assembly.stackName, addresses);
  return {
    station,
    assembly,
    of: (type, shape) =>
      resources
        .filter(({ Type }) => Type === type)
        .map(({ Properties }) => shape.parse(intrinsics.resolve(Properties))),
    deletionPolicies: (type) =>
      resources.filter(({ Type }) => Type === type).map(({ DeletionPolicy }) => DeletionPolicy),
    countByType: () =>
      Object.fromEntries(
        [...Map.groupBy(resources, ({ Type }) => Type)].map(([type, { length }]) => [type, length]).sort(),
      ),
    remove,
  };
}

export const functionShape = z.object({
  FunctionName: z.string(),
  Runtime: z.string(),
  Architectures: z.array(z.string()),
  Handler: z.string(),
  Timeout: z.int(),
  MemorySize: z.int(),
  Role: z.string(),
  Code: z.object({ S3Key: z.string() }),
  LoggingConfig: z.object({ LogGroup: z.string() }),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
});

export const alarmShape = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  AlarmActions: z.array(z.string()),
  /** These three are missing of an alarm on an expression. */
  Namespace: z.string().optional(),
  MetricName: z.string().optional(),
  Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })).optional(),
  Threshold: z.number(),
});

/** An alarm on an expression over metrics. */
export const computedAlarmShape = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  AlarmActions: z.array(z.string()),
  EvaluationPeriods: z.int(),
  Threshold: z.number(),
  Metrics: z
    .array(
      z.object({
        Id: z.string(),
        Expression: z.string().optional(),
        MetricStat: z
          .object({
            Metric: z.object({
              Namespace: z.string(),
              MetricName: z.string(),
              Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })),
            }),
          })
          .optional(),
      }),
    )
    .default([]),
});
