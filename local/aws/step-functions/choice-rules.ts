import { prepareContextPath, type Report } from "./payload-paths.ts";
import { plainPath } from "./states-language.ts";

type Rule = Record<string, unknown>;

const COMPARED_TYPES = { String: "IsString", Numeric: "IsNumeric", Timestamp: "IsTimestamp" } as const;
const COMPARISON =
  /^(?:(String|Numeric|Timestamp)(?:Equals|LessThan|GreaterThan|LessThanEquals|GreaterThanEquals)(Path)?|(String)Matches|(Boolean)Equals(Path)?)$/;
const TYPE_TEST = /^Is(Null|Present|Numeric|String|Boolean|Timestamp)$/;

/**
 * Checks a choice rule and answers the one to run, made good where the interpreter differs from AWS: it never matches
 * a type test against false (`IsPresent: false`), and compares values of different types as JavaScript does ("5" < 10).
 */
export function prepareRule(rule: Rule, report: Report): Rule {
  const { Next, Comment, Assign, ...test } = rule;
  if (Assign !== undefined) report("Assign (variables) does not run here");
  const prepared = prepareTest(test, report);
  return { ...prepared, ...(Next === undefined ? {} : { Next }), ...(Comment === undefined ? {} : { Comment }) };
}

function prepareTest(test: Rule, report: Report): Rule {
  const { Variable, ...rest } = test;
  const [entry, ...others] = Object.entries(rest);
  if (entry === undefined || others.length > 0) {
    report(`a choice rule has ${others.length + (entry ? 1 : 0)} operators instead of one`);
    return test;
  }
  const [operator, operand] = entry;
  if (operator === "And" || operator === "Or") {
    const operands = Array.isArray(operand) ? operand : [];
    return { [operator]: operands.map((one) => (isRule(one) ? prepareTest(one, report) : one)) };
  }
  if (operator === "Not") return { Not: isRule(operand) ? prepareTest(operand, report) : operand };
  const variable = prepareVariable(Variable, report);
  if (TYPE_TEST.test(operator)) {
    const positive = { Variable: variable, [operator]: true };
    return operand === false ? { Not: positive } : positive;
  }
  return prepareComparison(operator, operand, variable, report);
}

function prepareComparison(operator: string, operand: unknown, variable: unknown, report: Report): Rule {
  const match = COMPARISON.exec(operator);
  if (match === null) {
    report(`the operator ${operator} does not run here`);
    return { Variable: variable, [operator]: operand };
  }
  const takesPath = operator.endsWith("Path");
  const comparison = { Variable: variable, [operator]: takesPath ? prepareVariable(operand, report) : operand };
  const compared = match[1] ?? match[3];
  if (compared === "String" || compared === "Numeric" || compared === "Timestamp") {
    return { And: [{ Variable: variable, [COMPARED_TYPES[compared]]: true }, comparison] };
  }
  return comparison;
}

function prepareVariable(path: unknown, report: Report): unknown {
  if (typeof path === "string" && path.startsWith("$$")) return prepareContextPath(path, report);
  if (!plainPath.safeParse(path).success) report(`"${path}" in a choice rule is not a plain path such as $.a.b[0]`);
  return path;
}

function isRule(value: unknown): value is Rule {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
