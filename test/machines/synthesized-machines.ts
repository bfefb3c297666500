import { join } from "node:path";
import { freshAssembly } from "../../local/assembly/fresh-assembly.ts";
import { readAssembly } from "../../local/assembly/read-assembly.ts";
import { resolveResources } from "../../local/assembly/resolve-resources.ts";
import { localAttributes } from "../../local/assembly/resource-attributes.ts";
import { definitionOf, stateMachineKind } from "../../local/aws/step-functions/state-machine-kind.ts";
import { machineSchema, type State, stateSchema } from "../../local/aws/step-functions/states-language.ts";
import { type WorkflowName, workflows } from "../../registry/workflows.ts";

export interface SynthesizedMachine {
  workflow: WorkflowName;
  /** As it would be deployed: read from the template, its placeholders replaced. */
  definition: unknown;
  startAt: string;
  timeoutSeconds: number | undefined;
  states: Map<string, State>;
  type: "STANDARD" | "EXPRESS";
}

const root = join(import.meta.dirname, "../..");

/** The state machines of the stack as it is synthesized now, by workflow. */
export async function synthesizedMachines(): Promise<Map<WorkflowName, SynthesizedMachine>> {
  const { template, stackName } = await readAssembly(await freshAssembly(root, () => {}));
  const otherTypes = Object.values(template.Resources)
    .map(({ Type }) => Type)
    .filter((type) => type !== stateMachineKind.type);
  const machines = resolveResources({
    template,
    stackName,
    kinds: [stateMachineKind],
    ignoredTypes: Object.fromEntries(otherTypes.map((type) => [type, "only the machines are looked at"])),
    attributes: localAttributes({ sqs: "http://127.0.0.1:1", api: "http://127.0.0.1:2" }),
  }).of(stateMachineKind);
  return new Map(
    machines.map(({ name, properties }) => {
      const definition = definitionOf(properties);
      const { StartAt, States, TimeoutSeconds } = machineSchema.parse(definition);
      const workflow = workflowNamed(name.replace(/^prod-flux-/, ""));
      const states = Object.entries(States).map(([state, written]) => [state, stateSchema.parse(written)] as const);
      return [
        workflow,
        {
          workflow,
          definition,
          startAt: StartAt,
          timeoutSeconds: TimeoutSeconds,
          states: new Map(states),
          type: properties.StateMachineType,
        },
      ];
    }),
  );
}

export async function synthesizedMachine(workflow: WorkflowName): Promise<SynthesizedMachine> {
  const machine = (await synthesizedMachines()).get(workflow);
  if (!machine) throw new Error(`The stack has no state machine for ${workflow}: look at infra/workflow.ts.`);
  return machine;
}

function workflowNamed(name: string): WorkflowName {
  const found = Object.keys(workflows).find((workflow): workflow is WorkflowName => workflow === name);
  if (!found) throw new Error(`The stack has a state machine ${name} that registry/workflows.ts does not know.`);
  return found;
}
