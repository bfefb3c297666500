import { z } from "zod";
import { AwsError, type JsonOperations, parseInput } from "../json-protocol.ts";
import type { ExecutionStore, StandardExecution } from "./execution-store.ts";
import { pageFields, pageOf } from "./pages.ts";

interface DescribedMachine {
  name: string;
  arn: string;
  type: "STANDARD" | "EXPRESS";
  definition: unknown;
  roleArn: string;
}

interface ReadDependencies {
  machines: Map<string, DescribedMachine>;
  store: ExecutionStore;
  createdMs: number;
  findMachine: (arn: string) => DescribedMachine;
  /** Passes the ARN of a Standard execution, throws InvalidArn for others. */
  standardArn: (arn: string) => string;
}

const machineInput = z.object({ stateMachineArn: z.string() });
const executionInput = z.object({ executionArn: z.string() });
const listMachinesInput = z.object(pageFields);
const listExecutionsInput = z.object({
  stateMachineArn: z.string(),
  statusFilter: z.enum(["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]).optional(),
  ...pageFields,
});
const historyInput = z.object({
  executionArn: z.string(),
  reverseOrder: z.boolean().default(false),
  includeExecutionData: z.boolean().default(true),
  ...pageFields,
});

/** The operations that only look: machines, Standard executions and their history. */
export function readOperations(dependencies: ReadDependencies): JsonOperations {
  const { machines, store, findMachine, standardArn } = dependencies;
  const creationDate = dependencies.createdMs / 1000;
  const listStateMachines = async (raw: unknown) => {
    const { page, ...next } = pageOf([...machines.values()], parseInput(listMachinesInput, raw));
    const stateMachines = page.map(({ arn, name, type }) => ({ stateMachineArn: arn, name, type, creationDate }));
    return { stateMachines, ...next };
  };
  const describeStateMachine = async (raw: unknown) => {
    const machine = findMachine(parseInput(machineInput, raw).stateMachineArn);
    return {
      stateMachineArn: machine.arn,
      name: machine.name,
      status: "ACTIVE",
      definition: JSON.stringify(machine.definition),
      roleArn: machine.roleArn,
      type: machine.type,
      creationDate,
    };
  };
  const listExecutions = async (raw: unknown) => {
    const request = parseInput(listExecutionsInput, raw);
    if (findMachine(request.stateMachineArn).type === "EXPRESS") {
      throw new AwsError("StateMachineTypeNotSupported", "Executions of Express state machines are not kept");
    }
    const matching = store
      .list(request.stateMachineArn)
      .filter((one) => request.statusFilter === undefined || statusOf(one) === request.statusFilter);
    const { page, ...next } = pageOf(matching, request);
    return { executions: page.map(summaryOf), ...next };
  };
  const describeExecution = async (raw: unknown) => {
    const execution = store.get(standardArn(parseInput(executionInput, raw).executionArn));
    const outcome = execution.closed?.outcome;
    return {
      ...summaryOf(execution),
      input: execution.input,
      inputDetails: { included: true },
      ...outcome,
      ...(outcome?.status === "SUCCEEDED" ? { outputDetails: { included: true } } : {}),
    };
  };
  const getExecutionHistory = async (raw: unknown) => {
    const request = parseInput(historyInput, raw);
    const written = store.get(standardArn(request.executionArn)).history.events();
    const { page, ...next } = pageOf(request.reverseOrder ? written.toReversed() : written, request);
    return { events: request.includeExecutionData ? page : page.map(withoutData), ...next };
  };
  return {
    ListStateMachines: listStateMachines,
    DescribeStateMachine: describeStateMachine,
    ListExecutions: listExecutions,
    DescribeExecution: describeExecution,
    GetExecutionHistory: getExecutionHistory,
  };
}

function statusOf(execution: StandardExecution): string {
  return execution.closed?.outcome.status ?? "RUNNING";
}

function summaryOf(execution: StandardExecution): Record<string, unknown> {
  return {
    executionArn: execution.arn,
    stateMachineArn: execution.machineArn,
    name: execution.name,
    status: statusOf(execution),
    startDate: execution.startMs / 1000,
    ...(execution.closed === undefined ? {} : { stopDate: execution.closed.stopMs / 1000 }),
    redriveCount: 0,
  };
}

/** The event without inputs, outputs and parameters, at whatever depth its details hold them. */
function withoutData(event: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(event).map(([key, value]) => {
      if (typeof value !== "object" || value === null) return [key, value];
      const kept = Object.entries(value).filter(([field]) => !["input", "output", "parameters"].includes(field));
      return [key, Object.fromEntries(kept)];
    }),
  );
}
