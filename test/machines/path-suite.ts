import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { State } from "../../local/aws/step-functions/states-language.ts";
import { type WorkflowName, workflows } from "../../registry/workflows.ts";
import { named } from "../local/step-functions-setup.ts";
import { type MachineRun, type MachineRunner, type Script, type Step, startMachineRunner } from "./machine-run.ts";
import { type SynthesizedMachine, synthesizedMachine } from "./synthesized-machines.ts";

/** One way through a machine, from its input to its end. */
export interface Path {
  title: string;
  input: unknown;
  script: Script;
  /** All states on the way. */
  states: string[];
  /** The error the run fails with; absent: it succeeds. */
  failsWith?: string;
  /** Calls of a state's task where it is more than one; a state that is not named here calls once per visit. */
  calls?: Record<string, number>;
  /** Further checks of what the tasks were told. */
  check?: (run: MachineRun) => void;
}

/** What every task must ride out: a provider that is briefly away, and Lambda's own troubles. */
const passingTroubles = [
  "ProviderUnavailable",
  "RateLimited",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.TooManyRequestsException",
];
/** The stack may have to be synthesized first, on a machine that does other things too. */
export const synthesisTimeoutMs = 180_000;
/** What no repetition can mend. */
const lastingTroubles = ["PermanentFailure", "InvalidInput", "MissingConfiguration"];

/**
 * Tests a synthesized machine path by path: each of `paths`; each passing trouble of each task on such a path; and that
 * together they visit every state, every branch of a Choice and every error of a Catch.
 */
export function describePaths(workflow: WorkflowName, paths: Path[], alsoRetried: Record<string, string[]>): void {
  let machine: SynthesizedMachine;
  let runner: MachineRunner;
  const runs = new Map<Path, MachineRun>();

  beforeAll(async () => {
    machine = await synthesizedMachine(workflow);
    runner = await startMachineRunner(machine);
    for (const path of paths) runs.set(path, await runner.run(path.input, path.script));
  }, synthesisTimeoutMs);
  afterAll(() => runner?.close());

  const runOf = (path: Path): MachineRun => {
    const run = runs.get(path);
    if (!run) throw new Error(`"${path.title}" was not run`);
    return run;
  };

  describe("the paths", () => {
    for (const path of paths)
      it(path.title, () => {
        const run = runOf(path);
        expect(run.states).toEqual(path.states);
        expect({ status: run.status, error: run.error }).toEqual({
          status: path.failsWith ? "FAILED" : "SUCCEEDED",
          error: path.failsWith,
        });
        const visits = countsOf(run.states.filter((state) => run.calls.some((call) => call.state === state)));
        expect(countsOf(run.calls.map(({ state }) => state))).toEqual({ ...visits, ...path.calls });
        // Whatever the states before made of the data, each task knows the request that the run is for.
        for (const { state, runInput } of run.calls) expect(runInput, state).toEqual(path.input);
        path.check?.(run);
      });
  });

  describe("what passes by itself", () => {
    /** A path on which a state's task works at once, and the number of its first call there. */
    const workingCallOf = (state: string): { path: Path; number: number } => {
      for (const path of paths) {
        const { calls, steps } = runOf(path);
        const number = calls.findIndex((call) => call.state === state);
        const failed = steps.some(({ from, error }) => from === state && error !== undefined);
        if (number >= 0 && !failed && !path.calls?.[state]) return { path, number };
      }
      throw new Error(`on no path does "${state}" work at once`);
    };
    const taskStates = () => [...machine.states].flatMap(([name, { Type }]) => (Type === "Task" ? [name] : []));

    it("is ridden out by every task, which then goes on as if nothing had happened", async () => {
      for (const state of taskStates()) {
        const { path, number } = workingCallOf(state);
        for (const error of [...passingTroubles, ...(alsoRetried[state] ?? [])]) {
          const run = await runner.run(path.input, path.script, { number, error: named(error) });
          const problem = `${state} after ${error}`;
          expect(run.states, problem).toEqual(path.states);
          expect(run.calls.length, problem).toBe(runOf(path).calls.length + 1);
          expect(run.calls[number + 1], problem).toEqual(run.calls[number]);
        }
      }
    });

    it("is all that is tried again", async () => {
      for (const state of taskStates()) {
        const { path, number } = workingCallOf(state);
        for (const error of lastingTroubles) {
          const run = await runner.run(path.input, path.script, { number, error: named(error) });
          expect(run.calls[number + 1]?.state, `${state} after ${error}`).not.toBe(state);
        }
      }
    });
  });

  it("the paths visit every state, every branch and every error of a Catch", () => {
    const visited = new Set([...runs.values()].flatMap(({ steps }) => steps.map((step) => edgeName(machine, step))));
    const entered = new Set([...runs.values()].flatMap(({ states }) => states));
    const unvisited = {
      states: [...machine.states.keys()].filter((state) => !entered.has(state)),
      steps: edgesOf(machine).filter((edge) => !visited.has(edge)),
      tasks: workflows[workflow].tasks.filter(
        (task) => ![...runs.values()].some(({ calls }) => calls.some((call) => call.task === task)),
      ),
    };
    expect(unvisited).toEqual({ states: [], steps: [], tasks: [] });
  });
}

const anyError = "States.ALL";

/** Every way on from every state, as `From (error) -> To`. */
function edgesOf({ states }: SynthesizedMachine): string[] {
  return [...states].flatMap(([from, state]) => {
    const ways = waysOn(state).map((to) => `${from} -> ${to}`);
    const caught = catchersOf(state).flatMap(({ ErrorEquals, Next }) =>
      ErrorEquals.map((error) => `${from} (${error}) -> ${Next}`),
    );
    return [...ways, ...caught];
  });
}

function waysOn(state: State): string[] {
  if (state.Type === "Choice")
    return [...state.Choices.map(({ Next }) => String(Next)), ...(state.Default ? [state.Default] : [])];
  return "Next" in state && state.Next ? [state.Next] : [];
}

function catchersOf(state: State) {
  return "Catch" in state ? (state.Catch ?? []) : [];
}

/** The edge that a step went along; an error that no Catch names went by its States.ALL. */
function edgeName({ states }: SynthesizedMachine, { from, error, to }: Step): string {
  if (error === undefined) return `${from} -> ${to}`;
  const state = states.get(from);
  const isNamed = state && catchersOf(state).some(({ ErrorEquals }) => ErrorEquals.includes(error));
  return `${from} (${isNamed ? error : anyError}) -> ${to}`;
}

function countsOf(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
