import { z } from "zod";
import { templateIntrinsics, UnresolvableValue } from "./intrinsics.ts";
import type { Template } from "./read-assembly.ts";
import type { ResourceAttributes } from "./resource-attributes.ts";
import type { ResourceKind } from "./resource-kind.ts";

/** One resource of the stack, with plain values, ready to run. `name` is its physical name on this machine. */
export interface Resource<P> {
  logicalId: string;
  name: string;
  properties: P;
}

export interface Resources {
  /** All resources of a kind, in template order. The kind must be one of those given to resolveResources. */
  of<P>(kind: ResourceKind<P>): Resource<P>[];
}

/** Everything in the stack that this machine cannot run, one line each with its logical id. */
export class UnsupportedResources extends Error {
  override name = "UnsupportedResources";
  readonly problems: string[];
  constructor(problems: string[]) {
    super(
      `This machine cannot run the stack as synthesized:\n${problems.map((problem) => `  - ${problem}`).join("\n")}\n` +
        "Take the resource or property out of infra/, teach local/ to run it, or list it as ignored with a reason.",
    );
    this.problems = problems;
  }
}

/** Whatever the stack holds: how to find it (`template`, `stackName`), and what this machine can do with it. */
export interface ResolveOptions {
  template: Template;
  stackName: string;
  kinds: ResourceKind<unknown>[];
  /** Types with nothing to run here, each with the reason. */
  ignoredTypes: Record<string, string>;
  attributes: Record<string, ResourceAttributes>;
}

/**
 * Computes the intrinsics of every resource and checks it against its kind. Throws UnsupportedResources with all
 * problems at once.
 */
export function resolveResources(options: ResolveOptions): Resources {
  const { template, stackName, kinds, ignoredTypes, attributes } = options;
  const intrinsics = templateIntrinsics(template, stackName, attributes);
  const kindByType = new Map(kinds.map((kind) => [kind.type, kind]));
  const problems: string[] = [];
  const resolved: { type: string; logicalId: string; name: string; values: Record<string, unknown> }[] = [];

  for (const [logicalId, { Type: type, Properties, Condition }] of Object.entries(template.Resources)) {
    const report = (problem: string) => problems.push(`${logicalId} (${type}): ${problem}`);
    try {
      if (type in ignoredTypes) continue;
      if (Condition !== undefined && !intrinsics.condition(Condition)) continue;
      const kind = kindByType.get(type);
      if (kind === undefined) {
        report("no part of this machine runs this resource type");
        continue;
      }
      const ignored = kind.ignoredProperties ?? {};
      const kept = Object.fromEntries(Object.entries(Properties).filter(([property]) => !(property in ignored)));
      const values = z.record(z.string(), z.unknown()).parse(intrinsics.resolve(kept));
      const checked = kind.properties.safeParse(values);
      if (!checked.success) {
        for (const issue of checked.error.issues) report(issueText(issue));
        continue;
      }
      resolved.push({ type, logicalId, name: intrinsics.physicalName(logicalId), values });
    } catch (error) {
      if (error instanceof UnresolvableValue) report(error.message);
      else if (error instanceof z.ZodError) report("an intrinsic function has arguments this machine does not read");
      else throw error;
    }
  }
  if (problems.length > 0) throw new UnsupportedResources(problems);

  return {
    of: (kind) =>
      resolved
        .filter(({ type }) => type === kind.type)
        .map(({ logicalId, name, values }) => ({ logicalId, name, properties: kind.properties.parse(values) })),
  };
}

function issueText(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => (path === "" ? key : `${path}.${key}`));
    return `does not support ${keys.length === 1 ? "property" : "properties"} ${keys.join(", ")}`;
  }
  return path === "" ? issue.message : `property ${path}: ${issue.message}`;
}
