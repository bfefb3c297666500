import { z } from "zod";
import { type Command, printJson } from "../command.ts";
import { OperatorError, UsageError } from "../operator-error.ts";
import { redact, redactText } from "../redact.ts";
import { diffContract } from "./contract-diff.ts";
import { type DeadLetter, withDeadLetters } from "./dead-letters.ts";
import { type Group, groupLetters } from "./groups.ts";
import { createOutlook } from "./outlook.ts";
import { lookSeconds, readSelection, selectionFlags, selectionHelp, unseenSentence } from "./selection.ts";

export const list: Command = {
  usage: "[id ...] [--queue Q] [--where EXPR] [--limit N] [--raw] [--json]",
  summary: "what died, grouped by cause",
  details: `${selectionHelp}
--raw shows addresses.`,
  flags: { ...selectionFlags, raw: { type: "boolean" } },
  async run(target, input) {
    const { queues, limit, matches, json } = readSelection(input);
    const { groups, unseen } = await withDeadLetters(
      target,
      { queues, limit, hiddenSeconds: lookSeconds },
      async ({ letters, unseen }) => ({ groups: groupLetters(letters.filter(matches)), unseen }),
    );
    const shown = input.flags.raw ? groups : groups.map((group) => ({ ...group, reason: redactText(group.reason) }));
    if (json) return printJson({ station: target.description, groups: shown, unseen });
    if (shown.length === 0) console.log(`No dead letters in ${target.description}.`);
    for (const [queue, ofQueue] of Map.groupBy(shown, (group) => group.queue)) {
      console.log(`${queue}: ${ofQueue.reduce((sum, { count }) => sum + count, 0)}`);
      for (const group of ofQueue) console.log(describeGroup(group));
    }
    if (unseenSentence(unseen)) console.log(unseenSentence(unseen));
  },
};

function describeGroup({ count, errorName, fingerprint, reason, attempts, ...group }: Group): string {
  const range = attempts.fewest === attempts.most ? String(attempts.most) : `${attempts.fewest} to ${attempts.most}`;
  return `  ${count} × ${errorName}  fingerprint=${fingerprint}
      ${reason}
      attempts ${range}, first seen ${group.firstSeenAt}, last failed ${group.lastFailedAt ?? "unknown"}, such as ${group.exampleId}`;
}

export const show: Command = {
  usage: "<id> [--queue Q] [--raw] [--json]",
  summary: "all that is known of one dead letter",
  details: `An id is the envelope's, or the beginning of it. Addresses and one-time links are hidden unless --raw.`,
  flags: { ...selectionFlags, raw: { type: "boolean" } },
  async run(target, input) {
    const { json, letters } = await pick(target, input, "dlq show");
    const outlook = createOutlook(target);
    for (const letter of letters) {
      const { queue, id, errorName, reason, fingerprint, attempts, stack, firstSeenAt, lastFailedAt } = letter;
      const facts = {
        queue,
        id,
        correlationId: letter.envelope?.correlationId ?? null,
        error: { name: errorName, reason, fingerprint, stack },
        attempts,
        firstSeenAt,
        lastFailedAt,
        ledger: await outlook(letter),
        message: letter.envelope ?? letter.body,
      };
      const shown = z.looseObject({}).parse(input.flags.raw ? facts : redact(facts));
      if (json) printJson(shown);
      else console.log(describeFacts(shown));
    }
  },
};

/** One fact per line; what has parts or lines of its own is set below its name. */
function describeFacts(facts: Record<string, unknown>): string {
  return Object.entries(facts)
    .map(([name, value]) => {
      if (typeof value !== "object" || value === null) return `${name}: ${value}`;
      return `${name}: ${JSON.stringify(value, null, 2).replaceAll("\\n", "\n    ")}`;
    })
    .join("\n");
}

export const diff: Command = {
  usage: "[id ...] [--queue Q] [--where EXPR] [--raw] [--json]",
  summary: "what today's contract says against dead letters",
  details: `Compares messages with the contract that today's code checks them by. "Fits" means that a redriven message
gets past the check, whatever it died of.
${selectionHelp}`,
  flags: { ...selectionFlags, raw: { type: "boolean" } },
  async run(target, input) {
    const { json, letters } = await pick(target, input, "dlq diff");
    const found = letters.map((letter) => {
      const { fits, violations, unknown } = diffContract(letter.queue, letter.body);
      const shown = input.flags.raw
        ? violations
        : violations.map((violation) => ({ ...violation, found: redactText(violation.found) }));
      return { queue: letter.queue, id: letter.id, fits, violations: shown, unknown };
    });
    if (json) return printJson(found);
    // Messages of which the same is wrong are told of once.
    const alike = Map.groupBy(found, ({ queue, violations, unknown }) =>
      JSON.stringify([queue, violations.map(({ path, expected }) => [path, expected]), unknown]),
    );
    for (const members of alike.values()) {
      const [first] = members;
      if (!first) continue;
      const { queue, id, fits, violations, unknown } = first;
      const who = members.length === 1 ? id : `${members.length} messages, such as ${id}`;
      console.log(`${queue}  ${who}: ${fits ? "fits today's contract" : "breaks today's contract"}`);
      for (const { path, expected, found: value } of violations)
        console.log(`    ${path}: expected ${expected}, found ${value}`);
      if (unknown.length > 0) console.log(`    unknown to the contract: ${unknown.join(", ")}`);
    }
  },
};

/** The letters that were asked for; saying nothing of which ones would be a slip. */
async function pick(
  target: Parameters<Command["run"]>[0],
  input: Parameters<Command["run"]>[1],
  verb: string,
): Promise<{ json: boolean; letters: DeadLetter[] }> {
  const { queues, limit, matches, json, ids, where, queue } = readSelection(input);
  if (ids.length + where.length === 0 && !queue)
    throw new UsageError(`flux ${verb} needs an id: see \`flux dlq list\`.`);
  const letters = await withDeadLetters(target, { queues, limit, hiddenSeconds: lookSeconds }, async (look) =>
    look.letters.filter(matches),
  );
  if (letters.length === 0)
    throw new OperatorError(
      `There is no such dead letter in ${target.description}. It may have been redriven, or be hidden for a moment while somebody looks at it.`,
    );
  return { json, letters };
}
