import { z } from "zod";
import { contractOf, envelopeOf } from "../../lambdas/core/messages.ts";
import type { QueueName } from "../../registry/queues.ts";

/** One thing that is wrong with a message by today's contract. */
export interface Violation {
  /** Such as `payload.email`; `message` for the whole. */
  path: string;
  expected: string;
  /** What is there instead, as JSON. */
  found: string;
}

export interface ContractDiff {
  fits: boolean;
  violations: Violation[];
  /** Fields that the contract does not know: they are dropped without harm, or hold what another field should. */
  unknown: string[];
}

/** What keeps a message from passing today's contract of its queue. */
export function diffContract(queue: QueueName, body: string): ContractDiff {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return { fits: false, violations: [{ path: "message", expected: "JSON", found: quoted(body) }], unknown: [] };
  }
  const parsed = envelopeOf(queue).safeParse(message);
  return {
    fits: parsed.success,
    violations: (parsed.error?.issues ?? []).map((issue) => violationOf(issue, message)),
    unknown: unknownFields(queue, message),
  };
}

function violationOf(issue: z.core.$ZodIssue, message: unknown): Violation {
  const value = issue.path.reduce<unknown>((part, step) => partOf(part, step), message);
  return {
    path: issue.path.join(".") || "message",
    expected: issue.code === "invalid_type" ? issue.expected : issue.message.replace(/^.*?expected (?:one of )?/i, ""),
    found: value === undefined ? "nothing" : quoted(JSON.stringify(value)),
  };
}

const partOf = (value: unknown, step: PropertyKey): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined;

const shownLength = 120;
const quoted = (text: string) => (text.length > shownLength ? `${text.slice(0, shownLength - 1)}…` : text);

const objectSchema = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  get anyOf() {
    return z.array(objectSchema).optional();
  },
  get oneOf() {
    return z.array(objectSchema).optional();
  },
  get allOf() {
    return z.array(objectSchema).optional();
  },
});
type ObjectSchema = z.infer<typeof objectSchema>;

/** Of the payload's own fields: what lies deeper is the sender's affair more often than not. */
function unknownFields(queue: QueueName, message: unknown): string[] {
  const payload = partOf(message, "payload");
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return [];
  const schema = z.toJSONSchema(contractOf(queue), { io: "input", unrepresentable: "any", reused: "inline" });
  const known = new Set(fieldsOf(objectSchema.parse(schema)));
  return Object.keys(payload)
    .filter((name) => !known.has(name))
    .map((name) => `payload.${name}`);
}

function fieldsOf({ properties = {}, anyOf = [], oneOf = [], allOf = [] }: ObjectSchema): string[] {
  return [...Object.keys(properties), ...[...anyOf, ...oneOf, ...allOf].flatMap(fieldsOf)];
}
