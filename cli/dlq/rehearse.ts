import { type Command, printJson } from "../command.ts";
import { OperatorError, UsageError } from "../operator-error.ts";
import { redact, redactText } from "../redact.ts";
import { type Rehearsed, rehearse } from "../rehearsal/rehearse.ts";
import { withDeadLetters } from "./dead-letters.ts";
import { lookSeconds, readSelection, selectionFlags } from "./selection.ts";

export const rehearseDeadLetter: Command = {
  usage: "<id> [--queue Q] [--raw] [--json]",
  summary: "run a dead letter through today's handler with every effect left out",
  details: `Reads the database and the ledger as they are, changes and sends nothing, and prints what the handler read and
would do, in its order. "supposed" marks answers made up so that it can go on; the rehearsal ends where none can be.
Today's handler is the code of this checkout, not what is deployed.`,
  flags: { ...selectionFlags, raw: { type: "boolean" } },
  async run(target, input) {
    const { queues, limit, matches, json, ids } = readSelection(input);
    if (ids.length !== 1) throw new UsageError("flux dlq rehearse takes one id: see `flux dlq list`.");
    const [letter] = await withDeadLetters(target, { queues, limit, hiddenSeconds: lookSeconds }, async ({ letters }) =>
      letters.filter(matches),
    );
    if (!letter) throw new OperatorError(`There is no dead letter ${ids[0]} in ${target.description}.`);
    const { queue, id, body } = letter;
    const rehearsed = await rehearse(target, queue, body);
    const { outcome, detail, violations, steps } = input.flags.raw ? rehearsed : withoutAddresses(rehearsed);
    if (json) return printJson({ queue, id, outcome, detail, violations, steps });
    console.log(`${queue}  ${id}: a rehearsal; nothing is changed or sent.`);
    for (const { path, expected, found } of violations) console.log(`  ${path}: expected ${expected}, found ${found}`);
    for (const [index, { kind, what, facts }] of steps.entries()) {
      console.log(`  ${String(index + 1).padStart(2)}. ${kind.padEnd(8)} ${what}`);
      if (facts !== null) console.log(`        ${shortened(JSON.stringify(facts))}`);
    }
    console.log(`Outcome: ${outcome}. ${detail}`);
  },
};

const shownLength = 400;
const shortened = (text: string) => (text.length > shownLength ? `${text.slice(0, shownLength - 1)}…` : text);

const withoutAddresses = ({ detail, violations, steps, ...rest }: Rehearsed): Rehearsed => ({
  ...rest,
  detail: redactText(detail),
  violations: violations.map((violation) => ({ ...violation, found: redactText(violation.found) })),
  steps: steps.map((step) => ({ ...step, what: redactText(step.what), facts: redact(step.facts) })),
});
