import { z } from "zod";
import type { Template } from "./read-assembly.ts";
import { LOCAL_ACCOUNT, LOCAL_REGION, type ResourceAttributes } from "./resource-attributes.ts";

/** A template value that cannot be computed on this machine. The message says which and why. */
export class UnresolvableValue extends Error {
  override name = "UnresolvableValue";
}

/** `Ref: AWS::NoValue`: the property or list element that holds it is left out. */
const NO_VALUE = Symbol("AWS::NoValue");

const plainObject = z.record(z.string(), z.unknown());
const getAttArguments = z.union([
  z.tuple([z.string(), z.string()]).transform(([logicalId, attribute]) => ({ logicalId, attribute })),
  z.string().transform((path) => {
    const dot = path.indexOf(".");
    return { logicalId: path.slice(0, dot), attribute: path.slice(dot + 1) };
  }),
]);
const subArguments = z.union([
  z.string().transform((pattern) => ({ pattern, variables: {} })),
  z.tuple([z.string(), plainObject]).transform(([pattern, variables]) => ({ pattern, variables })),
]);

export interface Intrinsics {
  /** Computes all intrinsics inside a value, however deep. Throws UnresolvableValue. */
  resolve(value: unknown): unknown;
  /** Whether a named condition of the template holds. */
  condition(name: string): boolean;
  /** The name a resource has on this machine: its name property, or else its logical id. */
  physicalName(logicalId: string): string;
}

/** Reads the intrinsic functions of one template, with `Ref` and `Fn::GetAtt` from a table per resource type. */
export function templateIntrinsics(
  template: Template,
  stackName: string,
  attributes: Record<string, ResourceAttributes>,
): Intrinsics {
  const pseudoParameters: Record<string, unknown> = {
    "AWS::AccountId": LOCAL_ACCOUNT,
    "AWS::NoValue": NO_VALUE,
    "AWS::NotificationARNs": [],
    "AWS::Partition": "aws",
    "AWS::Region": LOCAL_REGION,
    "AWS::StackId": `arn:aws:cloudformation:${LOCAL_REGION}:${LOCAL_ACCOUNT}:stack/${stackName}/local`,
    "AWS::StackName": stackName,
    "AWS::URLSuffix": "amazonaws.com",
  };

  // Only the name is resolved, never the whole resource, so two resources may refer to each other.
  const physicalName = (logicalId: string): string => {
    const { Type, Properties } = resource(logicalId);
    const nameProperty = attributes[Type]?.nameProperty;
    const given = nameProperty === undefined ? undefined : Properties[nameProperty];
    if (given === undefined) return logicalId;
    const name = resolve(given);
    return name === NO_VALUE ? logicalId : text(name);
  };

  const resource = (logicalId: string) => {
    const found = template.Resources[logicalId];
    if (found === undefined) throw new UnresolvableValue(`refers to ${logicalId}, which the template does not have`);
    return found;
  };

  const attributesOf = (logicalId: string): ResourceAttributes => {
    const { Type } = resource(logicalId);
    const found = attributes[Type];
    if (found === undefined) {
      throw new UnresolvableValue(`refers to ${logicalId}, but what a ${Type} gives is not known here`);
    }
    return found;
  };

  const ref = (name: string): unknown => {
    if (name in pseudoParameters) return pseudoParameters[name];
    const parameter = template.Parameters[name];
    if (parameter !== undefined) {
      if (parameter.Default === undefined)
        throw new UnresolvableValue(`needs the parameter ${name}, which has no default`);
      return parameter.Default;
    }
    return named(attributesOf(name).ref, physicalName(name));
  };

  const getAtt = (logicalId: string, attribute: string): string => {
    const pattern = attributesOf(logicalId).attributes[attribute];
    if (pattern === undefined) {
      throw new UnresolvableValue(`needs ${logicalId}.${attribute}, which is not known here`);
    }
    return named(pattern, physicalName(logicalId));
  };

  const sub = (pattern: string, variables: Record<string, unknown>): string =>
    pattern.replaceAll(/\$\{(!?)([^}]*)\}/g, (whole, literal: string, name: string) => {
      if (literal === "!") return whole.replace("${!", "${");
      if (name in variables) return text(resolve(variables[name]));
      const dot = name.indexOf(".");
      return text(dot === -1 ? ref(name) : getAtt(name.slice(0, dot), name.slice(dot + 1)));
    });

  const condition = (name: string): boolean => {
    if (!(name in template.Conditions))
      throw new UnresolvableValue(`needs the condition ${name}, which the template does not have`);
    return truth(template.Conditions[name]);
  };

  const truth = (expression: unknown): boolean => {
    const value = resolve(expression);
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw new UnresolvableValue(`has a condition that is neither true nor false: ${JSON.stringify(value)}`);
  };

  const functions: Record<string, (argument: unknown) => unknown> = {
    "Fn::GetAtt": (argument) => {
      const { logicalId, attribute } = getAttArguments.parse(argument);
      return getAtt(logicalId, attribute);
    },
    "Fn::Sub": (argument) => {
      const { pattern, variables } = subArguments.parse(argument);
      return sub(pattern, variables);
    },
    "Fn::Join": (argument) => {
      const [separator, parts] = z.tuple([z.string(), z.unknown()]).parse(argument);
      return z.array(z.unknown()).parse(resolve(parts)).map(text).join(separator);
    },
    "Fn::Split": (argument) => {
      const [separator, source] = z.tuple([z.string(), z.unknown()]).parse(argument);
      return text(resolve(source)).split(separator);
    },
    "Fn::Select": (argument) => {
      const [index, list] = z.tuple([z.coerce.number().int(), z.unknown()]).parse(argument);
      const chosen = z.array(z.unknown()).parse(resolve(list))[index];
      if (chosen === undefined) throw new UnresolvableValue(`selects element ${index} of a shorter list`);
      return chosen;
    },
    "Fn::If": (argument) => {
      const [name, yes, no] = z.tuple([z.string(), z.unknown(), z.unknown()]).parse(argument);
      return resolve(condition(name) ? yes : no);
    },
    "Fn::Equals": (argument) => {
      const [left, right] = z.tuple([z.unknown(), z.unknown()]).parse(argument);
      return JSON.stringify(resolve(left)) === JSON.stringify(resolve(right));
    },
    "Fn::And": (argument) => z.array(z.unknown()).parse(argument).every(truth),
    "Fn::Or": (argument) => z.array(z.unknown()).parse(argument).some(truth),
    "Fn::Not": (argument) => {
      const [operand] = z.tuple([z.unknown()]).parse(argument);
      return !truth(operand);
    },
  };

  const resolve = (value: unknown): unknown => {
    if (typeof value === "string" && value.includes("{{resolve:")) {
      throw new UnresolvableValue(`holds the dynamic reference ${value}, which is not resolved here`);
    }
    if (Array.isArray(value)) return value.map(resolve).filter((element) => element !== NO_VALUE);
    const object = plainObject.safeParse(value);
    if (!object.success) return value;
    const [key, ...others] = Object.keys(object.data);
    if (key !== undefined && others.length === 0) {
      const argument = object.data[key];
      if (key === "Ref" && typeof argument === "string") return ref(argument);
      if (key === "Condition" && typeof argument === "string") return condition(argument);
      const compute = functions[key];
      if (compute !== undefined) return compute(argument);
      if (key.startsWith("Fn::")) throw new UnresolvableValue(`uses ${key}, which is not computed here`);
    }
    return Object.fromEntries(
      Object.entries(object.data)
        .map(([name, member]) => [name, resolve(member)] as const)
        .filter(([, member]) => member !== NO_VALUE),
    );
  };

  return { resolve, condition, physicalName };
}

function text(value: unknown): string {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  throw new UnresolvableValue(`puts ${JSON.stringify(value)} where a text is needed`);
}

function named(pattern: string, name: string): string {
  return pattern.replaceAll("<name>", () => name);
}
