import { DescribeExecutionCommand, SFNClient, StartSyncExecutionCommand } from "@aws-sdk/client-sfn";
import type { Invoke, InvokeOutcome } from "../../local/aws/lambda/invoke.ts";
import {
  type Machine,
  type StepFunctions,
  type StepFunctionsOptions,
  startStepFunctions,
} from "../../local/aws/step-functions/start-step-functions.ts";

/** What a stand-in function does with its payload; a throw becomes the outcome a Lambda function would have. */
export type FunctionBodies = Record<string, (payload: unknown) => unknown>;

export const machineArn = (name: string) => `arn:aws:states:us-east-1:000000000000:stateMachine:${name}`;
export const functionArn = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;

export function machine(name: string, type: Machine["type"], definition: unknown): Machine {
  return { name, arn: machineArn(name), type, definition };
}

/** A machine of one state, which calls the function of this name. */
export function oneTask(name: string, fields: object = {}): object {
  return { StartAt: "Work", States: { Work: { Type: "Task", Resource: functionArn(name), End: true, ...fields } } };
}

export interface Harness {
  client: SFNClient;
  station: StepFunctions;
  /** Names of the functions, in the order in which they were called. */
  calls: string[];
}

export async function startHarness(
  machines: Machine[],
  functions: FunctionBodies,
  options: Partial<StepFunctionsOptions> = {},
): Promise<Harness> {
  const calls: string[] = [];
  const invoke: Invoke = async (arn, payload) => {
    const name = arn.split(":").at(-1) ?? "";
    calls.push(name);
    return outcomeOf(async () => functions[name]?.(payload));
  };
  const station = await startStepFunctions({ machines, invoke, now: Date.now, ...options });
  const client = new SFNClient({
    region: "us-east-1",
    endpoint: station.url,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    disableHostPrefix: true,
    maxAttempts: 1,
  });
  return { client, station, calls };
}

async function outcomeOf(body: () => Promise<unknown>): Promise<InvokeOutcome> {
  try {
    return { ok: true, payload: await body() };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return { ok: false, errorType: name, errorMessage: message };
  }
}

export function named(name: string, message = ""): Error {
  return Object.assign(new Error(message), { name });
}

export async function stopHarness({ client, station }: Harness): Promise<void> {
  client.destroy();
  await station.close();
}

/** Runs a definition once as an Express machine, with short Retry delays and Waits. */
export async function runOnce(definition: object, input: unknown, functions: FunctionBodies = {}) {
  const harness = await startHarness([machine("probe", "EXPRESS", definition)], functions, { timeScale: 0.001 });
  try {
    const reply = await harness.client.send(
      new StartSyncExecutionCommand({ stateMachineArn: machineArn("probe"), input: JSON.stringify(input) }),
    );
    const { status, error, cause } = reply;
    const output: unknown = reply.output === undefined ? undefined : JSON.parse(reply.output);
    return { status, error, cause, output, calls: harness.calls };
  } finally {
    await stopHarness(harness);
  }
}

export async function untilEnded(client: SFNClient, executionArn: string | undefined) {
  for (;;) {
    const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
    if (execution.status !== "RUNNING") return execution;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
