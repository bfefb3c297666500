import { entriesOf } from "../../lambdas/core/record.ts";
import { type ProviderRecord, providers } from "../../registry/providers.ts";
import { type QueueRecord, queues } from "../../registry/queues.ts";
import { buckets, type RouteRecord, routes, zones } from "../../registry/routes.ts";
import { type ScheduleRecord, schedules } from "../../registry/schedules.ts";
import { secrets } from "../../registry/secrets.ts";
import { signals } from "../../registry/signals.ts";
import { type WorkflowRecord, workflows } from "../../registry/workflows.ts";

/** The registry as one page for people: a picture of what leads where, and the limits of each part. */
export function flowMap(): string {
  return `<!-- Written by docs/generate from registry/. Do not edit: change the registry and run \`npm run docs\`. -->

# Flow map

Routes and schedules start the work, queues and workflows carry it, providers are what it reaches. Every queue has a
dead-letter queue of its own; it is left out of the picture.

\`\`\`mermaid
${picture().join("\n")}
\`\`\`

## Routes

${table(
  ["Path", "Methods", "Who may call", "Zone", "Bucket", "Body up to", "What it does"],
  Object.values<RouteRecord>(routes).map((route) => [
    code(route.path),
    route.methods.join(", "),
    route.auth.scheme,
    route.zone,
    route.bucket,
    size(route.maxBodyBytes),
    route.summary,
  ]),
)}

A client may send this many requests a minute to the routes of a bucket: ${entriesOf(buckets)
    .map(([name, limit]) => `${code(name)} ${limit}`)
    .join(", ")}.

## Queues

${table(
  [
    "Queue",
    "Order",
    "Batch",
    "At once",
    "Worker limit",
    "Hidden for",
    "Attempts",
    "First pause",
    "Who is harmed by dead letters",
  ],
  entriesOf<string, QueueRecord>(queues).map(([name, queue]) => [
    code(name),
    queue.fifo ? "FIFO" : "any",
    `${queue.batchSize}${queue.batchWindowSeconds ? ` in ${queue.batchWindowSeconds} s` : ""}`,
    `${queue.maximumConcurrency} batches`,
    `${queue.workerTimeoutSeconds} s`,
    `${queue.workerTimeoutSeconds * 6} s`,
    `${queue.maxReceiveCount}`,
    `${queue.backoffBaseSeconds} s`,
    queue.errorImpact,
  ]),
)}

## Workflows

${table(
  ["Workflow", "Type", "Tasks", "Task limit", "Who is harmed when it fails"],
  entriesOf<string, WorkflowRecord>(workflows).map(([name, workflow]) => [
    code(name),
    workflow.type.toLowerCase(),
    workflow.tasks.join(", "),
    `${workflow.taskTimeoutSeconds} s`,
    workflow.errorImpact,
  ]),
)}

## Schedules

In the time zone of the config's \`digest.timeZone\`; the config may override each.

${table(
  ["Schedule", "Starts", "When", "With"],
  entriesOf<string, ScheduleRecord>(schedules).map(([name, schedule]) => [
    code(name),
    "queue" in schedule ? `a message on ${code(schedule.queue)}` : code(schedule.workflow),
    code(schedule.expression),
    "input" in schedule ? code(JSON.stringify(schedule.input)) : "",
  ]),
)}

## Providers

${table(
  ["Provider", "Address", "Aborted after", "Calls a second to begin with", "Secrets"],
  entriesOf<string, ProviderRecord>(providers).map(([name, provider]) => [
    code(name),
    provider.baseUrl ?? "from the config",
    `${provider.timeoutMs / 1000} s`,
    provider.callsPerSecond ? `${provider.callsPerSecond}` : "not paced",
    provider.secrets.map(code).join(", "),
  ]),
)}

## Secrets

${table(
  ["Name", "Needed", "Where it comes from"],
  entriesOf(secrets).map(([name, { required, source }]) => [code(name), required ? "yes" : "no", source]),
)}

## Signals

Each raises its alarm as soon as it is counted once.

${table(
  ["Signal", "Who is harmed"],
  entriesOf(signals).map(([name, { errorImpact }]) => [code(name), errorImpact]),
)}
`;
}

function picture(): string[] {
  const node = (kind: string, name: string) => `${kind}_${name.replaceAll("-", "_")}`;
  const edges: string[] = [];
  const connect = (from: string, to: string, label = "") =>
    edges.push(`  ${from} ${label ? `-- ${label} -->` : "-->"} ${to}`);

  const routeBoxes = Object.keys(zones).map((zone) => [
    `  subgraph zone_${zone}[${zone} routes]`,
    ...entriesOf<string, RouteRecord>(routes)
      .filter(([, route]) => route.zone === zone)
      .map(([name, { path }]) => `    ${node("route", name)}["${path}"]`),
    "  end",
  ]);
  for (const [name, route] of entriesOf<string, RouteRecord>(routes)) {
    for (const queue of route.queues ?? []) connect(node("route", name), node("queue", queue));
    if (route.workflow) connect(node("route", name), node("workflow", route.workflow), "starts");
    for (const provider of route.providers ?? []) connect(node("route", name), node("provider", provider));
  }
  for (const [name, schedule] of entriesOf<string, ScheduleRecord>(schedules)) {
    if ("queue" in schedule) connect(node("schedule", name), node("queue", schedule.queue));
    else connect(node("schedule", name), node("workflow", schedule.workflow), "starts");
  }
  for (const [name, { uses }] of entriesOf<string, QueueRecord>(queues)) {
    connect(node("queue", name), node("worker", name));
    for (const queue of uses.queues ?? []) connect(node("worker", name), node("queue", queue));
    for (const workflow of uses.workflows ?? []) connect(node("worker", name), node("workflow", workflow), "runs");
    for (const provider of uses.providers) connect(node("worker", name), node("provider", provider));
  }
  for (const [name, { uses }] of entriesOf<string, WorkflowRecord>(workflows)) {
    for (const queue of uses.queues ?? []) connect(node("workflow", name), node("queue", queue));
    for (const provider of uses.providers) connect(node("workflow", name), node("provider", provider));
  }
  return [
    "flowchart LR",
    ...routeBoxes.flat(),
    ...Object.keys(schedules).map((name) => `  ${node("schedule", name)}(["${name}"])`),
    ...Object.keys(queues).flatMap((name) => [
      `  ${node("queue", name)}[["${name}"]]`,
      `  ${node("worker", name)}["${name} worker"]`,
    ]),
    ...Object.keys(workflows).map((name) => `  ${node("workflow", name)}{{"${name} workflow"}}`),
    ...Object.keys(providers).map((name) => `  ${node("provider", name)}(("${name}"))`),
    ...edges,
  ];
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

function size(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`;
}
