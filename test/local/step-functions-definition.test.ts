import { expect, it } from "vitest";
import { prepareMachine, UnsupportedDefinitionError } from "../../local/aws/step-functions/prepare-machine.ts";
import { definitionOf, stateMachineKind } from "../../local/aws/step-functions/state-machine-kind.ts";
import { functionArn, oneTask } from "./step-functions-setup.ts";

function problemsOf(definition: unknown): string[] {
  try {
    prepareMachine("weekly", definition, { timeScale: 1 });
    return [];
  } catch (error) {
    if (error instanceof UnsupportedDefinitionError) return error.problems;
    throw error;
  }
}

const placeholder = (name: string) => `\${${name}}`;
const mapOf = (fields: object, processor: object = {}) => ({
  StartAt: "Each",
  States: { Each: { Type: "Map", ItemProcessor: { ...oneTask("work"), ...processor }, End: true, ...fields } },
});
const passWith = (fields: object) => ({ StartAt: "Shape", States: { Shape: { Type: "Pass", ...fields, End: true } } });

it.each([
  ["JSONata", oneTask("work", { QueryLanguage: "JSONata" }), /"Work": QueryLanguage/],
  ["variables", oneTask("work", { Assign: { a: 1 } }), /"Work": Assign/],
  ["JSONata arguments", oneTask("work", { Arguments: "{% $states.input %}" }), /"Work": Arguments/],
  ["heartbeats", oneTask("work", { HeartbeatSeconds: 3 }), /"Work": HeartbeatSeconds/],
  ["a timeout from the input", oneTask("work", { TimeoutSecondsPath: "$.t" }), /"Work": TimeoutSecondsPath/],
  [
    "task tokens",
    oneTask("work", { Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken" }),
    /"Work": Resource "arn:aws:states:::lambda:invoke.waitForTaskToken"/,
  ],
  [
    "nested executions",
    oneTask("work", { Resource: "arn:aws:states:::states:startExecution.sync" }),
    /"Work": Resource/,
  ],
  ["a task token in the payload", oneTask("work", { Parameters: { "t.$": "$$.Task.Token" } }), /"Work": .*Task\.Token/],
  ["a distributed Map", mapOf({}, { ProcessorConfig: { Mode: "DISTRIBUTED" } }), /"Each": .*distributed/],
  ["an item batcher", mapOf({ ItemBatcher: { MaxItemsPerBatch: 2 } }), /"Each": ItemBatcher/],
  ["an item reader", mapOf({ ItemReader: {} }), /"Each": ItemReader/],
  ["tolerated failures", mapOf({ ToleratedFailureCount: 1 }), /"Each": ToleratedFailureCount/],
  ["a Map in a Map", mapOf({}, mapOf({})), /a Map inside/],
  ["paths that select many", passWith({ InputPath: "$.items[*]" }), /"Shape": InputPath/],
  [
    "functions that lose backslashes",
    passWith({ Parameters: { "t.$": "States.Format('{}', $.a)" } }),
    /States\.Format/,
  ],
  ["a Result the interpreter overlooks", passWith({ Result: false }), /"Shape": Result/],
  ["a Map item outside its selector", passWith({ Parameters: { "t.$": "$$.Map.Item.Value" } }), /Map\.Item/],
  [
    "a retry count in a Map",
    mapOf({}, oneTask("work", { Parameters: { "n.$": "$$.State.RetryCount" } })),
    /RetryCount/,
  ],
  ["a retry count outside a task", passWith({ Parameters: { "n.$": "$$.State.RetryCount" } }), /RetryCount/],
  ["a Fail without a name", { StartAt: "Stop", States: { Stop: { Type: "Fail" } } }, /"Stop": a Fail state/],
  [
    "States.ALL in company",
    oneTask("work", { Retry: [{ ErrorEquals: ["States.ALL", "Busy"] }] }),
    /"Work": States\.ALL/,
  ],
  ["a transition to nowhere", passWith({ End: undefined, Next: "Nowhere" }), /Nowhere|MISSING_TRANSITION_TARGET/],
])("refuses %s, naming the state", (_, definition, expected) => {
  const problems = problemsOf(definition);
  expect(problems.join("\n")).toMatch(expected);
});

it("reports the problems of all states at once", () => {
  const definition = {
    StartAt: "One",
    States: {
      One: { Type: "Task", Resource: "arn:aws:states:::sqs:sendMessage", Next: "Two" },
      Two: { Type: "Task", Resource: functionArn("work"), HeartbeatSeconds: 1, End: true },
    },
  };
  expect(problemsOf(definition)).toEqual([
    expect.stringContaining('state "One": Resource'),
    expect.stringContaining('state "Two": HeartbeatSeconds'),
  ]);
});

it("replaces placeholders, with quotes and backslashes kept as text", () => {
  const definition = definitionOf({
    DefinitionString: JSON.stringify({ Comment: placeholder("Text"), StartAt: placeholder("Start") }),
    DefinitionSubstitutions: { Text: 'say "hi" \\', Start: "Work" },
  });
  expect(definition).toEqual({ Comment: 'say "hi" \\', StartAt: "Work" });
});

it("the kind takes a resolved resource, and refuses what its definition cannot do here", () => {
  const properties = {
    StateMachineName: "weekly",
    RoleArn: "arn:aws:iam::000000000000:role/weekly",
    DefinitionString: JSON.stringify(oneTask("work", { Resource: placeholder("WorkArn") })),
    DefinitionSubstitutions: { WorkArn: functionArn("work") },
  };
  expect(stateMachineKind.properties.parse(properties)).toMatchObject({ StateMachineType: "STANDARD" });
  const missing = stateMachineKind.properties.safeParse({ ...properties, DefinitionSubstitutions: {} });
  expect(missing.error?.issues[0]?.message).toContain(placeholder("WorkArn"));
  const refused = stateMachineKind.properties.safeParse({
    ...properties,
    DefinitionString: JSON.stringify(oneTask("work", { HeartbeatSeconds: 1 })),
  });
  expect(refused.error?.issues[0]?.message).toContain('state "Work": HeartbeatSeconds');
});
