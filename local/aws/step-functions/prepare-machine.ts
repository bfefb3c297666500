import { StateMachine, type StateMachineDefinition } from "aws-local-stepfunctions";
import { z } from "zod";
import { prepareRule } from "./choice-rules.ts";
import { prepareTemplate } from "./payload-paths.ts";
import {
  type Catcher,
  machineSchema,
  type Retrier,
  type State,
  stateSchema,
  type Task,
  type Wait,
} from "./states-language.ts";

/** How a state with an effect is carried out; the interpreter only sees a Task with a handler. */
export type TaskPlan =
  | {
      kind: "function";
      functionArn: string;
      /** Called through `arn:aws:states:::lambda:invoke`, which wraps payload and result. */
      viaService: boolean;
      timeoutSeconds: number | undefined;
      scopes: string[];
      usesRetryCount: boolean;
    }
  | { kind: "wait"; wait: Wait; scopes: string[] };

export type FunctionPlan = Extract<TaskPlan, { kind: "function" }>;

export interface PreparedMachine {
  interpreter: StateMachine;
  taskPlans: Map<string, TaskPlan>;
  /** The types as written: a Wait runs as a Task. */
  stateTypes: Map<string, State["Type"]>;
  timeoutSeconds: number | undefined;
}

/** A definition this machine cannot run as AWS would; each of `problems` begins with the state's name. */
export class UnsupportedDefinitionError extends Error {
  readonly problems: string[];

  constructor(machineName: string, problems: string[]) {
    super(`State machine ${machineName} cannot run on this machine:\n${problems.map((one) => `  ${one}`).join("\n")}`);
    this.name = "UnsupportedDefinitionError";
    this.problems = problems;
  }
}

const SERVICE_RESOURCE = "arn:aws:states:::lambda:invoke";
const FUNCTION_ARN = /^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+$/;
/** The longest delay a Node timer holds (2^31 - 1 ms); a longer one would end at once. */
export const LONGEST_TIMER_SECONDS = 2_147_483;

const serviceParameters = z.strictObject({
  FunctionName: z.string(),
  Payload: z.json().optional(),
  "Payload.$": z.string().optional(),
  InvocationType: z.literal("RequestResponse").optional(),
});
const interpreterDefinition = z.custom<StateMachineDefinition>((value) => typeof value === "object" && value !== null);

interface Scope {
  taskPlans: Map<string, TaskPlan>;
  stateTypes: Map<string, State["Type"]>;
  /** The Map and Parallel states around the states of this scope. */
  enclosing: string[];
  timeScale: number;
  problems: string[];
}

/**
 * Turns a definition into one that the interpreter runs as AWS does: what it does differently is rewritten, what cannot
 * be made good is refused. `timeScale` shortens Retry delays (1 = real time).
 * @throws UnsupportedDefinitionError with every problem found
 */
export function prepareMachine(name: string, definition: unknown, options: { timeScale: number }): PreparedMachine {
  const parsed = machineSchema.safeParse(definition);
  if (!parsed.success) throw new UnsupportedDefinitionError(name, issuesOf("the machine", parsed.error));
  const scope: Scope = {
    taskPlans: new Map(),
    stateTypes: new Map(),
    enclosing: [],
    timeScale: options.timeScale,
    problems: [],
  };
  const states = prepareStates(parsed.data.States, scope);
  if (scope.problems.length === 0) scope.problems.push(...validate(definition));
  if (scope.problems.length > 0) throw new UnsupportedDefinitionError(name, scope.problems);
  const rewritten = interpreterDefinition.parse({ StartAt: parsed.data.StartAt, States: states });
  return {
    interpreter: new StateMachine(rewritten, { validationOptions: { noValidate: true } }),
    taskPlans: scope.taskPlans,
    stateTypes: scope.stateTypes,
    timeoutSeconds: parsed.data.TimeoutSeconds,
  };
}

/** The interpreter's own check, with asl-validator: transitions, reachability, required fields. */
function validate(definition: unknown): string[] {
  try {
    new StateMachine(interpreterDefinition.parse(definition));
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function prepareStates(states: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(states).map(([name, written]) => {
      const parsed = stateSchema.safeParse(written);
      if (!parsed.success) {
        scope.problems.push(...issuesOf(`state "${name}"`, parsed.error));
        return [name, written];
      }
      if (scope.stateTypes.has(name)) scope.problems.push(`state "${name}": there is another state of this name`);
      scope.stateTypes.set(name, parsed.data.Type);
      return [name, prepareState(name, parsed.data, scope)];
    }),
  );
}

function prepareState(name: string, state: State, scope: Scope): unknown {
  const report = (problem: string) => scope.problems.push(`state "${name}": ${problem}`);
  const template = (value: unknown) => prepareTemplate(value, { stateName: name, itemContext: false, report });
  switch (state.Type) {
    case "Task": {
      const plan = planFunction(state, scope, report);
      if (plan !== undefined) scope.taskPlans.set(name, plan);
      // Iterations share their states' names, so only outside a Map or Parallel is it known whose retries are counted.
      const onRetryCount = () => {
        if (scope.enclosing.length > 0) report("$$.State.RetryCount inside a Map or Parallel does not run here");
        else if (plan !== undefined) plan.usesRetryCount = true;
      };
      const parameters = (value: unknown) =>
        prepareTemplate(value, { stateName: name, itemContext: false, onRetryCount, report });
      return {
        ...withoutWholePaths(state),
        ...present("Parameters", state.Parameters, parameters),
        ...present("ResultSelector", state.ResultSelector, template),
        ...errorHandling(state, scope, report),
        // Without one the interpreter ends a task after 60 s, AWS after more than three years.
        TimeoutSeconds: Math.min(state.TimeoutSeconds ?? LONGEST_TIMER_SECONDS, LONGEST_TIMER_SECONDS),
      };
    }
    case "Wait": {
      scope.taskPlans.set(name, { kind: "wait", wait: state, scopes: scope.enclosing });
      const { Seconds, SecondsPath, Timestamp, TimestampPath, ...rest } = withoutWholePaths(state);
      return { ...rest, Type: "Task", Resource: name, TimeoutSeconds: LONGEST_TIMER_SECONDS };
    }
    case "Pass":
      return { ...withoutWholePaths(state), ...present("Parameters", state.Parameters, template) };
    case "Choice":
      return { ...withoutWholePaths(state), Choices: state.Choices.map((rule) => prepareRule(rule, report)) };
    case "Succeed":
      return withoutWholePaths(state);
    case "Fail":
      if ((state.Error ?? state.ErrorPath) === undefined)
        report("a Fail state without an Error has no name to fail with");
      return state.CausePath === undefined ? { Cause: "", ...state } : state;
    case "Parallel":
      return {
        ...withoutWholePaths(state),
        Branches: state.Branches.map((branch) => ({ ...branch, States: prepareStates(branch.States, inside(name)) })),
        ...present("Parameters", state.Parameters, template),
        ...present("ResultSelector", state.ResultSelector, template),
        ...errorHandling(state, scope, report),
      };
    case "Map": {
      // Handlers know a state's name but not its iteration, so two failures of one nested Map could not be told apart.
      if (scope.enclosing.length > 0) report("a Map inside a Map or Parallel does not run here");
      const selector = (value: unknown) => prepareTemplate(value, { stateName: name, itemContext: true, report });
      return {
        ...withoutWholePaths(state),
        ItemProcessor: { ...state.ItemProcessor, States: prepareStates(state.ItemProcessor.States, inside(name)) },
        ...present("ItemSelector", state.ItemSelector, selector),
        ...present("ResultSelector", state.ResultSelector, template),
        ...errorHandling(state, scope, report),
      };
    }
  }

  function inside(stateName: string): Scope {
    return { ...scope, enclosing: [...scope.enclosing, stateName] };
  }
}

function planFunction(state: Task, scope: Scope, report: (problem: string) => void): FunctionPlan | undefined {
  const { enclosing: scopes } = scope;
  const common = { kind: "function" as const, timeoutSeconds: state.TimeoutSeconds, scopes, usesRetryCount: false };
  if (FUNCTION_ARN.test(state.Resource)) return { ...common, functionArn: state.Resource, viaService: false };
  if (state.Resource !== SERVICE_RESOURCE) {
    report(`Resource "${state.Resource}" does not run here: a task is a Lambda function or ${SERVICE_RESOURCE}`);
    return undefined;
  }
  const parameters = serviceParameters.safeParse(state.Parameters);
  if (!parameters.success) {
    for (const problem of issuesOf("Parameters", parameters.error)) report(problem);
    return undefined;
  }
  const { FunctionName } = parameters.data;
  const functionArn = FunctionName.startsWith("arn:")
    ? FunctionName
    : `arn:aws:lambda:us-east-1:000000000000:function:${FunctionName}`;
  if (!FUNCTION_ARN.test(functionArn)) report(`FunctionName "${FunctionName}" is not the name or ARN of a function`);
  return { ...common, functionArn, viaService: true };
}

function errorHandling(
  state: { Retry?: Retrier[] | undefined; Catch?: Catcher[] | undefined },
  scope: Scope,
  report: (problem: string) => void,
): Record<string, unknown> {
  for (const handlers of [state.Retry ?? [], state.Catch ?? []]) {
    handlers.forEach(({ ErrorEquals }, index) => {
      const isAlone = ErrorEquals.length === 1 && index === handlers.length - 1;
      if (ErrorEquals.includes("States.ALL") && !isAlone) report("States.ALL must stand alone and in the last place");
    });
  }
  return {
    ...present("Retry", state.Retry, (retriers) => retriers.map((one) => scaleRetrier(one, scope.timeScale))),
    ...present("Catch", state.Catch, (catchers) => catchers.map(withoutWholePaths)),
  };
}

function scaleRetrier(retrier: Retrier, timeScale: number): Retrier {
  const longestSeconds = Math.min(retrier.MaxDelaySeconds ?? LONGEST_TIMER_SECONDS, LONGEST_TIMER_SECONDS);
  return {
    ...retrier,
    IntervalSeconds: Math.max((retrier.IntervalSeconds ?? 1) * timeScale, 0.001),
    MaxDelaySeconds: Math.max(longestSeconds * timeScale, 0.001),
  };
}

/** `$` means "all of it", which is the default; the interpreter would write to a key named "$", or trip over a null. */
function withoutWholePaths<T extends object>(state: T): T {
  const copy = { ...state };
  for (const field of ["InputPath", "OutputPath", "ResultPath"]) {
    if (Reflect.get(copy, field) === "$") Reflect.deleteProperty(copy, field);
  }
  return copy;
}

function present<T>(field: string, value: T | undefined, prepare: (value: T) => unknown): Record<string, unknown> {
  return value === undefined ? {} : { [field]: prepare(value) };
}

function issuesOf(subject: string, error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") return `${subject}: ${issue.keys.join(", ")} does not run here`;
    if (issue.code === "invalid_union") return `${subject}: its Type is not one of the States Language`;
    return `${subject}: ${[...issue.path, issue.message].join(" ")}`;
  });
}
