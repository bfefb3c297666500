import { z } from "zod";
import type { ResourceKind } from "../../assembly/resource-kind.ts";
import { prepareMachine, UnsupportedDefinitionError } from "./prepare-machine.ts";

const stateMachineProperties = z
  .strictObject({
    StateMachineName: z.string().optional(),
    StateMachineType: z.enum(["STANDARD", "EXPRESS"]).default("STANDARD"),
    DefinitionString: z.string(),
    DefinitionSubstitutions: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    RoleArn: z.string(),
  })
  .superRefine((properties, context) => {
    for (const message of definitionProblems(properties)) {
      context.addIssue({ code: "custom", path: ["DefinitionString"], message });
    }
  });

export type StateMachineProperties = z.output<typeof stateMachineProperties>;

/** A state machine, refused at boot when its definition uses what does not run here. */
export const stateMachineKind = {
  type: "AWS::StepFunctions::StateMachine",
  properties: stateMachineProperties,
  ignoredProperties: {
    LoggingConfiguration: "execution history is kept in memory and read with GetExecutionHistory",
    TracingConfiguration: "nothing on this machine collects traces",
    Tags: "nothing on this machine reads tags",
  },
} satisfies ResourceKind<StateMachineProperties>;

/** A placeholder of a definition that DefinitionSubstitutions does not name, or a definition that is not JSON. */
export class DefinitionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DefinitionError";
  }
}

/** The machine's definition as an object, each `${Placeholder}` replaced by its substitution. */
export function definitionOf(
  properties: Pick<StateMachineProperties, "DefinitionString" | "DefinitionSubstitutions">,
): unknown {
  const substitutions = properties.DefinitionSubstitutions ?? {};
  const text = properties.DefinitionString.replaceAll(/\$\{([A-Za-z0-9_]+)\}/g, (_, name: string) => {
    const value = substitutions[name];
    if (value === undefined) throw new DefinitionError(`no DefinitionSubstitutions for \${${name}}`);
    // The text goes into a JSON string, where quotes and backslashes need escapes.
    return JSON.stringify(String(value)).slice(1, -1);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DefinitionError("the definition is not JSON", { cause: error });
  }
}

function definitionProblems(properties: StateMachineProperties): string[] {
  try {
    prepareMachine(properties.StateMachineName ?? "", definitionOf(properties), { timeScale: 1 });
    return [];
  } catch (error) {
    if (error instanceof UnsupportedDefinitionError) return error.problems;
    if (error instanceof DefinitionError) return [error.message];
    throw error;
  }
}
