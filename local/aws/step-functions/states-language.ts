import { z } from "zod";

/*
 * The part of the States Language that runs here, as strict schemas: a field that is not named below stops the boot.
 * What is left out on purpose: JSONata and variables, distributed Map (readers, batchers, tolerated failures),
 * heartbeats and task tokens, `TimeoutSecondsPath`, paths that select more than one value.
 */

/** `$.a.b[0]`. Paths with wildcards or filters are out: the interpreter unwraps a selection of one, AWS does not. */
const PLAIN_PATH = /^\$(\.(?!length(?![\w-]))[A-Za-z_][\w-]*|\[\d+\])*$/;
/** Where a result can be put. The interpreter does not understand quoted or indexed targets. */
const TARGET_PATH = /^\$(\.[A-Za-z_][\w-]*)*$/;

export const plainPath = z
  .string()
  .regex(PLAIN_PATH, "is not a plain path such as $.a.b[0], and nothing else runs here");
const targetPath = z
  .string()
  .regex(TARGET_PATH, "is not a plain path such as $.a.b, and nothing else runs here")
  .nullable();

const errorNames = z.array(z.string().min(1)).min(1);

// Limits of the fields: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
const retrier = z.strictObject({
  ErrorEquals: errorNames,
  IntervalSeconds: z.int().min(1).max(99_999_999).optional(),
  MaxAttempts: z.int().min(0).max(99_999_999).optional(),
  BackoffRate: z.number().min(1).optional(),
  MaxDelaySeconds: z.int().min(1).max(31_622_399).optional(),
  JitterStrategy: z.enum(["FULL", "NONE"]).optional(),
  Comment: z.string().optional(),
});
export type Retrier = z.infer<typeof retrier>;

const catcher = z.strictObject({
  ErrorEquals: errorNames,
  Next: z.string(),
  ResultPath: targetPath.optional(),
  Comment: z.string().optional(),
});
export type Catcher = z.infer<typeof catcher>;

const stateFields = { Comment: z.string().optional(), QueryLanguage: z.literal("JSONPath").optional() };
const inputAndOutput = { InputPath: plainPath.nullable().optional(), OutputPath: plainPath.nullable().optional() };
const transition = { Next: z.string().optional(), End: z.literal(true).optional() };
const resultHandling = { ResultSelector: z.json().optional(), ResultPath: targetPath.optional() };
const errorHandling = { Retry: z.array(retrier).optional(), Catch: z.array(catcher).optional() };

const task = z.strictObject({
  Type: z.literal("Task"),
  Resource: z.string(),
  Parameters: z.json().optional(),
  TimeoutSeconds: z.int().min(1).max(99_999_999).optional(),
  ...stateFields,
  ...inputAndOutput,
  ...transition,
  ...resultHandling,
  ...errorHandling,
});
export type Task = z.infer<typeof task>;

const pass = z.strictObject({
  Type: z.literal("Pass"),
  Parameters: z.json().optional(),
  Result: z.json().refine(Boolean, "is null, false, 0 or empty, which the interpreter takes for absent").optional(),
  ResultPath: targetPath.optional(),
  ...stateFields,
  ...inputAndOutput,
  ...transition,
});

const wait = z.strictObject({
  Type: z.literal("Wait"),
  Seconds: z.int().min(0).max(99_999_999).optional(),
  SecondsPath: plainPath.optional(),
  Timestamp: z.iso.datetime({ offset: true }).optional(),
  TimestampPath: plainPath.optional(),
  ...stateFields,
  ...inputAndOutput,
  ...transition,
});
export type Wait = z.infer<typeof wait>;

/** Rules are taken apart in `choice-rules.ts`, which knows each operator. */
const choice = z.strictObject({
  Type: z.literal("Choice"),
  Choices: z.array(z.record(z.string(), z.json())).min(1),
  Default: z.string().optional(),
  ...stateFields,
  ...inputAndOutput,
});

const succeed = z.strictObject({ Type: z.literal("Succeed"), ...stateFields, ...inputAndOutput });

const fail = z.strictObject({
  Type: z.literal("Fail"),
  Error: z.string().min(1).optional(),
  ErrorPath: plainPath.optional(),
  Cause: z.string().optional(),
  CausePath: plainPath.optional(),
  ...stateFields,
});

const nested = { StartAt: z.string(), States: z.record(z.string(), z.unknown()), Comment: z.string().optional() };

const parallel = z.strictObject({
  Type: z.literal("Parallel"),
  Branches: z.array(z.strictObject(nested)).min(1).max(40),
  Parameters: z.json().optional(),
  ...stateFields,
  ...inputAndOutput,
  ...transition,
  ...resultHandling,
  ...errorHandling,
});

const map = z.strictObject({
  Type: z.literal("Map"),
  ItemsPath: plainPath.optional(),
  ItemSelector: z.json().optional(),
  ItemProcessor: z.strictObject({
    ...nested,
    ProcessorConfig: z
      .strictObject({ Mode: z.literal("INLINE", "is not INLINE, and a distributed Map does not run here").optional() })
      .optional(),
  }),
  MaxConcurrency: z.int().min(0).max(40).optional(),
  ...stateFields,
  ...inputAndOutput,
  ...transition,
  ...resultHandling,
  ...errorHandling,
});

export const stateSchema = z.discriminatedUnion("Type", [task, pass, wait, choice, succeed, fail, parallel, map]);
export type State = z.infer<typeof stateSchema>;

export const machineSchema = z.strictObject({
  ...nested,
  Version: z.literal("1.0").optional(),
  TimeoutSeconds: z.int().min(1).max(99_999_999).optional(),
  QueryLanguage: z.literal("JSONPath").optional(),
});
