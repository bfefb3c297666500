import { UsageError } from "../operator-error.ts";
import type { DeadLetter } from "./dead-letters.ts";

type Facts = Pick<DeadLetter, "id" | "messageId" | "envelope" | "errorName" | "fingerprint"> &
  Pick<DeadLetter, "firstSeenAt" | "lastFailedAt">;

const tests = {
  id: ({ id, messageId }: Facts, value: string) => [id, messageId].some((known) => isSame(known, value)),
  fingerprint: (letter: Facts, value: string) => letter.fingerprint === value,
  error: (letter: Facts, value: string) => letter.errorName === value,
  type: (letter: Facts, value: string) => letter.envelope?.type === value,
  businessKey: (letter: Facts, value: string) => letter.envelope?.businessKey === value,
  correlationId: (letter: Facts, value: string) => letter.envelope?.correlationId === value,
  before: (letter: Facts, value: string) => timeOf(letter) < Date.parse(value),
  after: (letter: Facts, value: string) => timeOf(letter) > Date.parse(value),
};
type Name = keyof typeof tests;

const names: Name[] = ["id", "fingerprint", "error", "type", "businessKey", "correlationId", "before", "after"];

/** Help for `--where`, shared by all verbs that take it. */
export const whereHelp = `--where takes name=value, several times or with commas between; all must hold. Names:
  fingerprint, error (the error's name), id, type, businessKey, correlationId,
  before and after (ISO time of the last failure, or of first being seen where nobody noted one)`;

/** A beginning of an id is enough when it is long enough not to be a coincidence. */
const shortestBeginning = 6;
const isSame = (id: string, wanted: string) =>
  id === wanted || (wanted.length >= shortestBeginning && id.startsWith(wanted));

const timeOf = ({ lastFailedAt, firstSeenAt }: Facts): number => Date.parse(lastFailedAt ?? firstSeenAt);

export type Filter = (letter: Facts) => boolean;

/**
 * What the operator picked: by id, where ids are given, and by every condition.
 * @param where such as `fingerprint=abc,before=2026-11-24T09:00:00Z`. Throws UsageError on what it does not know.
 */
export function createFilter(ids: readonly string[], where: readonly string[]): Filter {
  const conditions = where.flatMap((text) => text.split(separator)).map(parseCondition);
  return (letter) =>
    (ids.length === 0 || ids.some((id) => tests.id(letter, id))) &&
    conditions.every(({ name, value }) => tests[name](letter, value));
}

/** A comma separates only where another condition follows: values may hold commas. */
const separator = new RegExp(`,\\s*(?=(?:${names.join("|")})=)`);

function parseCondition(text: string): { name: Name; value: string } {
  const [, given = "", value = ""] = /^\s*(\w+)=(.*?)\s*$/s.exec(text) ?? [];
  const name = names.find((known) => known === given);
  if (!name || value === "") throw new UsageError(`"${text}" is no condition.\n${whereHelp}`);
  if ((name === "before" || name === "after") && Number.isNaN(Date.parse(value)))
    throw new UsageError(`"${value}" is no time. Say for example ${name}=2026-11-24T09:00:00Z.`);
  return { name, value };
}
