import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { routes } from "../../registry/routes.ts";

const root = join(import.meta.dirname, "../..");
const textOf = (path: string) => readFileSync(join(root, path), "utf8");

interface Row {
  id: string;
  item: string;
  answer: string;
  proof: string[];
}
const rows: Row[] = [...textOf("docs/audit.md").matchAll(/^\| ([A-Z]-\d+) +\| (.+?) +\| (.+?) +\| (.+?) +\|$/gm)].map(
  ([, id = "", item = "", answer = "", proof = ""]) => ({ id, item, answer, proof: proof.split("<br>") }),
);

/** How many items each part has: routes, observations, RPCs and their actions, findings, wishes, checklist, defects. */
const amounts = { R: 24, B: 2, P: 3, V: 3, F: 5, O: 5, E: 5, Z: 5, C: 9, D: 69 };

const namedTest = /^`(test\/[\w./-]+\.test\.ts): ([^`]+)`$/;
const isOpen = (part: string) => /^open \(issue \d+\): ./.test(part);
const doesNotApply = (part: string) => /^does not apply: ./.test(part);

/** The titles of a file's tests as they are written: those of `test`, and of what `test.each` and its like return. */
function titlesIn(source: string): Set<string> {
  const plain = /^[ \t]*(?:test|it)\(\s*(["'`])((?:\\.|(?!\1)[^\\])+)\1\s*,/gm;
  const curried = /\)\(\s*(["'`])((?:\\.|(?!\1)[^\\])+)\1\s*,/g;
  const isOfTest = (index: number) => {
    const before = source.slice(0, index).match(/\b(?:test|it|describe)\.(?:each|for|runIf|skipIf)\b/g);
    return before !== null && !before.at(-1)?.startsWith("describe");
  };
  const found = [...source.matchAll(plain), ...[...source.matchAll(curried)].filter(({ index }) => isOfTest(index))];
  return new Set(found.map(([, , title = ""]) => title.replace(/\\(["'`])/g, "$1")));
}

test("every item of the audit and every defect of the original has one row", () => {
  const ids = Object.entries(amounts).flatMap(([part, amount]) =>
    Array.from({ length: amount }, (_, index) => `${part}-${index + 1}`),
  );
  expect(rows.map(({ id }) => id)).toEqual(ids);
});

test("the rows of routes are the original's routes", () => {
  const added = ["email-unsubscribe", "health"];
  const original = Object.keys(routes).filter((name) => !added.includes(name));
  const named = rows
    .filter(({ id }) => id.startsWith("R-"))
    .map(({ item }) => (item.startsWith("Default POST") ? "webhooks" : /^`([\w-]+)`/.exec(item)?.[1]));
  expect(named.toSorted()).toEqual(original.toSorted());
});

test("every row is proven by tests, does not apply for a reason, or is open in an issue", () => {
  const open = rows.filter(({ proof }) => proof.some(isOpen));
  const lines = open.map(({ id, proof }) => `  ${id.padEnd(5)} ${proof.filter(isOpen).join("; ")}\n`);
  process.stderr.write(`docs/audit.md: ${open.length} of ${rows.length} rows are open\n${lines.join("")}`);
  const without = rows.filter(
    ({ proof }) => !proof.every((part) => namedTest.test(part) || isOpen(part) || doesNotApply(part)),
  );
  expect(without.map(({ id, proof }) => [id, ...proof])).toEqual([]);
});

test("every test that is named exists", () => {
  const titles = new Map<string, Set<string>>();
  const missing: string[] = [];
  for (const { id, proof } of rows)
    for (const part of proof) {
      const [, file, title] = namedTest.exec(part) ?? [];
      if (!file || !title) continue;
      if (!titles.has(file)) titles.set(file, existsSync(join(root, file)) ? titlesIn(textOf(file)) : new Set());
      if (!titles.get(file)?.has(title)) missing.push(`${id}: ${file}: ${title}`);
    }
  expect(titles.size).toBeGreaterThan(0);
  expect(missing).toEqual([]);
});

const reference = "../shared/reference";
const hasReference = existsSync(join(root, reference, "audit.md"));
if (!hasReference) process.stderr.write("audit: the audit itself is not here, its items are not counted\n");

test.runIf(hasReference)("the audit itself and the list of defects have as many items", () => {
  const audit = textOf(`${reference}/audit.md`);
  const part = (from: string, to: string) => audit.slice(audit.indexOf(from), audit.indexOf(to, audit.indexOf(from)));
  const count = (text: string, item: RegExp) => [...text.matchAll(item)].length;
  const queues = part("## 2. Queue", "## 3. Resend");
  const [queueFindings = "", opportunities = ""] = queues.split("**Opportunities**");
  const [findings = "", wishes = ""] = part("## 3. Resend", "## 4. Hardening").split("**Desired Safety Features**");
  const rowItems = /^\| (?:`|Default)/gm;
  const defects = textOf(`${reference}/original-flux-station.md`);
  expect({
    // The audit leaves image generation out.
    R: count(part("## 1. Route", "### Observations"), rowItems) + 1,
    B: count(part("### Observations", "### Supabase"), /^\* /gm),
    P: count(part("### Supabase", "**RPC validation"), rowItems),
    V: count(part("**RPC validation", "## 2. Queue"), /^\d\. /gm),
    F: count(queueFindings, /^\* /gm),
    O: count(opportunities, /^\d\. /gm),
    E: count(findings, /^\* /gm),
    Z: count(wishes, /^\* /gm),
    C: count(audit, /^- \[ \] /gm),
    D: new Set([...defects.matchAll(/^\| (D-\d+) \|/gm)].map(([, id]) => id)).size,
  }).toEqual(amounts);
});
