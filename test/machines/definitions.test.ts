import validate from "asl-validator";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { longestRunMs as longestDigestMs } from "../../lambdas/tasks/digest/sit-out.ts";
import { longestRunMs as longestSequenceMs } from "../../lambdas/tasks/sequence/parts.ts";
import { queues } from "../../registry/queues.ts";
import { type WorkflowName, workflows } from "../../registry/workflows.ts";
import { synthesisTimeoutMs } from "./path-suite.ts";
import { type SynthesizedMachine, synthesizedMachines } from "./synthesized-machines.ts";

let machines: Map<WorkflowName, SynthesizedMachine>;
beforeAll(async () => {
  machines = await synthesizedMachines();
}, synthesisTimeoutMs);

const names = Object.keys(workflows);

function machineOf(name: string): SynthesizedMachine {
  const found = [...machines.values()].find(({ workflow }) => workflow === name);
  if (!found) throw new Error(`the stack has no state machine ${name}`);
  return found;
}

function tasksOf(name: string) {
  return [...machineOf(name).states].flatMap(([state, written]) =>
    written.Type === "Task" ? [{ state, ...written }] : [],
  );
}

it("every workflow of the registry is a state machine of the stack", () => {
  expect([...machines.keys()].sort()).toEqual([...names].sort());
});

describe.each(names)("%s", (name) => {
  it("passes asl-validator as it would be deployed", () => {
    const { isValid, errorsText } = validate(z.record(z.string(), z.unknown()).parse(machineOf(name).definition));
    expect(errorsText()).toBe("");
    expect(isValid).toBe(true);
  });

  it("is of the type that the registry says", () => {
    const { workflow, type } = machineOf(name);
    expect(type).toBe(workflows[workflow].type);
  });

  it("calls only tasks that its function knows", () => {
    const named = z.object({ task: z.string() });
    const called = tasksOf(name).map(({ Parameters }) => named.parse(Parameters).task);
    expect([...new Set(called)].sort()).toEqual([...workflows[machineOf(name).workflow].tasks].sort());
  });

  it("gives every task a timeout within its function's", () => {
    for (const { state, TimeoutSeconds } of tasksOf(name)) {
      expect(TimeoutSeconds, state).toBeGreaterThan(0);
      expect(TimeoutSeconds, state).toBeLessThanOrEqual(workflows[machineOf(name).workflow].taskTimeoutSeconds);
    }
  });

  it("spaces every task's attempts, ever wider and apart from other runs'", () => {
    for (const { state, Retry } of tasksOf(name)) {
      expect(Retry?.length, state).toBeGreaterThan(0);
      for (const { BackoffRate, JitterStrategy, MaxDelaySeconds } of Retry ?? []) {
        expect(BackoffRate, state).toBeGreaterThan(1);
        expect(JitterStrategy, state).toBe("FULL");
        expect(MaxDelaySeconds, state).toBeGreaterThan(0);
      }
    }
  });

  it("lets no error of a task escape the machine", () => {
    for (const { state, Catch } of tasksOf(name)) {
      expect(Catch?.at(-1)?.ErrorEquals, state).toEqual(["States.ALL"]);
      for (const { ResultPath } of Catch ?? []) expect(ResultPath, state).toBe("$.failure");
    }
  });

  it("has an end, whatever hangs", () => {
    expect(machineOf(name).timeoutSeconds).toBeGreaterThan(0);
  });
});

it("a segment run ends before its worker does, and a worker before its message shows up again", () => {
  const { workerTimeoutSeconds } = queues["segment-sync"];
  expect(machineOf("segment-sync").timeoutSeconds).toBeLessThan(workerTimeoutSeconds);
});

it.each([
  ["digest", longestDigestMs],
  ["sequence", longestSequenceMs],
])("a %s run gives up waiting before its machine's time is over, and in time to report it", (name, longestRunMs) => {
  const timeoutMs = (machineOf(name).timeoutSeconds ?? 0) * 1000;
  expect(timeoutMs - longestRunMs).toBeGreaterThanOrEqual(20 * 60_000);
});
