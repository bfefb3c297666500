import { z } from "zod";
import { entriesOf } from "../lambdas/core/record.ts";
import { type QueueName, queues } from "../registry/queues.ts";
import { UsageError } from "./operator-error.ts";
import type { Target } from "./target.ts";

/** A flag as `parseArgs` of Node takes it. */
interface Flag {
  type: "string" | "boolean";
  multiple?: true;
}

/** What followed the verb. Flags are unchecked: read them with `readFlags`. */
export interface Input {
  args: string[];
  flags: Record<string, unknown>;
}

/** A verb of `flux`. What it throws ends the process with 1, a UsageError with 2. */
export interface Command {
  /** Arguments and flags as help shows them, without the verb itself: `[id ...] [--queue Q]`. */
  usage: string;
  /** One line for `flux --help`. */
  summary: string;
  /** What `flux <verb> --help` says beyond usage and summary. */
  details?: string;
  /** By name, without the dashes. A name that several verbs use has the same type everywhere. */
  flags?: Record<string, Flag>;
  run(target: Target, input: Input): Promise<void>;
}

/** The flags as the schema has them. */
export function readFlags<S extends z.ZodType>(schema: S, flags: Input["flags"]): z.infer<S> {
  const parsed = schema.safeParse(flags);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    parsed.error.issues.map(({ path, message }) => `--${path.slice(0, 1).join("")}: ${message}`).join("\n"),
  );
}

/** A queue by its name in the registry. */
export function queueNamed(name: string): QueueName {
  const known = queueNames.find((queue) => queue === name);
  if (known) return known;
  throw new UsageError(`There is no queue "${name}". There are: ${queueNames.join(", ")}.`);
}

/** Every queue of the registry, in its order. */
export const queueNames: readonly QueueName[] = entriesOf(queues).map(([queue]) => queue);

/** A flag's queue; undefined when it is not given. */
export const queueFlag = z
  .string()
  .optional()
  .transform((name) => (name === undefined ? undefined : queueNamed(name)));

/** A whole number from 1 on, given as text. */
export const countFlag = (most: number) =>
  z
    .string()
    .regex(/^\d+$/, { error: "takes a whole number" })
    .transform(Number)
    .refine((amount) => amount >= 1 && amount <= most, { error: `takes a number from 1 to ${most}` });

/** The verb's result for programs: one JSON document and nothing else on standard output. */
export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));
