import { setTimeout as sleep } from "node:timers/promises";
import {
  DescribeExecutionCommand,
  type HistoryEvent,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
} from "@aws-sdk/client-sfn";
import type { FlowStation } from "./station.ts";

type Workflow = "digest" | "sequence";

export interface EndedRun {
  status: string;
  error: string | undefined;
  /** The machine's data at its end; empty when it failed. */
  output: Record<string, unknown>;
  /** The last state that was entered: it names how the run ended. */
  end: string;
  states: string[];
}

const arnOf = (workflow: Workflow, name: string) =>
  `arn:aws:states:us-east-1:000000000000:execution:prod-flux-${workflow}:${name}`;

/** Starts a run over HTTP; answers its name. */
export async function startRun(
  station: FlowStation,
  workflow: Workflow,
  wish: { scheduled_time: string; mode?: "broadcast" | "batch" },
): Promise<string> {
  const answer = await station.callInternal(`/email/${workflow}`, { body: wish });
  if (answer.status !== 202) throw new Error(`${workflow} was not started: ${answer.status} ${answer.text}`);
  return answer.json<{ id: string }>().id;
}

export async function untilRunEnded(station: FlowStation, workflow: Workflow, name: string): Promise<EndedRun> {
  const executionArn = arnOf(workflow, name);
  for (;;) {
    const {
      status = "",
      error,
      output,
    } = await station.stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
    if (status !== "RUNNING") {
      const states = await statesOf(station, executionArn);
      return { status, error, output: output ? JSON.parse(output) : {}, end: states.at(-1) ?? "", states };
    }
    await sleep(25);
  }
}

/** Starts a run over HTTP and waits for its end. */
export async function run(
  station: FlowStation,
  workflow: Workflow,
  wish: { scheduled_time: string; mode?: "broadcast" | "batch" },
): Promise<EndedRun> {
  return untilRunEnded(station, workflow, await startRun(station, workflow, wish));
}

/** Fires a schedule as if it were `at`, and waits for the end of the run that it started. */
export async function fireSchedule(
  station: FlowStation,
  workflow: Workflow,
  schedule: string,
  at: string,
): Promise<EndedRun> {
  const before = new Set(await runNames(station, workflow));
  await station.fire(`prod-flux-${schedule}`, at);
  const started = (await runNames(station, workflow)).filter((name) => !before.has(name));
  const [name] = started;
  if (name === undefined || started.length > 1) throw new Error(`${schedule} started ${started.length} runs`);
  return untilRunEnded(station, workflow, name);
}

/** Names of a workflow's runs, newest first. */
async function runNames(station: FlowStation, workflow: Workflow): Promise<string[]> {
  const { executions = [] } = await station.stepFunctions.send(
    new ListExecutionsCommand({
      stateMachineArn: arnOf(workflow, "").replace(":execution:", ":stateMachine:").slice(0, -1),
    }),
  );
  return executions.map(({ name = "" }) => name);
}

async function statesOf(station: FlowStation, executionArn: string): Promise<string[]> {
  const events: HistoryEvent[] = [];
  for await (const page of paginateGetExecutionHistory({ client: station.stepFunctions }, { executionArn }))
    events.push(...(page.events ?? []));
  return events.flatMap(({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name ?? []);
}
