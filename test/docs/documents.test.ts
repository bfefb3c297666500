import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { commands } from "../../cli/commands.ts";
import { type RouteRecord, routes } from "../../registry/routes.ts";
import { secrets } from "../../registry/secrets.ts";
import { signals } from "../../registry/signals.ts";
import { workflows } from "../../registry/workflows.ts";

const root = join(import.meta.dirname, "../..");
const textOf = (path: string) => readFileSync(join(root, path), "utf8");
const folderOf = (path: string) => readdirSync(join(root, path)).map((name) => join(path, name));
const documents = [
  ...folderOf("."),
  ...folderOf("docs"),
  ...folderOf("docs/adr"),
  ...folderOf("docs/runbooks"),
  ...folderOf("docs/generated"),
].filter((path) => path.endsWith(".md"));
const readme = textOf("README.md");
const runbooks = folderOf("docs/runbooks").map(textOf).join("\n");

test.each(documents)("every link of %s leads somewhere", (document) => {
  const links = [...textOf(document).matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target);
  const dead = links
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => !existsSync(join(root, dirname(document), target.split("#")[0] ?? "")));
  expect(dead).toEqual([]);
});

test.each(documents)("every file and folder that %s names is there", (document) => {
  const named = [
    ...textOf(document).matchAll(
      /`((?:registry|lambdas|infra|statemachines|supabase|local|cli|test|docs)\/[\w./-]+)`/g,
    ),
  ].map(([, path = ""]) => path);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("what the README's route table says of a route's methods and callers is what the registry says", () => {
  const schemes = new Map([
    ["anyone", "public"],
    ["who holds the signed link", "signed-link"],
    ["internal secret", "internal-secret"],
  ]);
  const rows = [...readme.matchAll(/^\| (`(?:GET|POST)\b.*?\/[\w/-]+`) +\| ([^|]+?) +\|/gm)];
  expect(rows.length).toBeGreaterThan(5);
  for (const [, call = "", caller = ""] of rows) {
    const path = /\/[\w/-]+/.exec(call)?.[0];
    const route = Object.values<RouteRecord>(routes).find((candidate) => candidate.path === path);
    expect(route?.methods, call).toEqual(expect.arrayContaining(call.match(/GET|POST/g) ?? []));
    expect(route?.auth.scheme, call).toBe(schemes.get(caller));
  }
});

test("the README's secrets table has every required secret, and none that is unknown", () => {
  const rows = [...readme.matchAll(/^\| `(\w+)` +\| (yes|no) +\|/gm)].map(([, name = "", required = ""]) => [
    name,
    required,
  ]);
  const known = Object.entries(secrets).map(([name, { required }]) => [name, required ? "yes" : "no"]);
  expect(known).toEqual(expect.arrayContaining(rows));
  expect(rows).toEqual(expect.arrayContaining(known.filter(([, required]) => required === "yes")));
});

test("the README explains every npm script and every verb of the operator's command, and no others", () => {
  const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(textOf("package.json")));
  const explained = [...readme.matchAll(/`npm (?:run )?(\w+)/g)].map(([, script]) => script);
  expect([...new Set(explained)].sort()).toEqual(Object.keys(scripts).sort());
  const verbs = Object.keys(commands).map((name) => name.split(" ")[0]);
  const shown = [...readme.matchAll(/^\| `npm run flux -- (\w+)/gm)].map(([, verb]) => verb);
  expect(new Set(shown)).toEqual(new Set(verbs));
});

test("the runbooks know every workflow, and no signal that does not exist", () => {
  for (const [, name = ""] of runbooks.matchAll(/signal-([a-z-]+)/g)) expect(Object.keys(signals)).toContain(name);
  for (const name of Object.keys(workflows)) expect(textOf("docs/runbooks/workflow-failed.md")).toContain(name);
});

test("decision records are numbered without a gap and say where they stand", () => {
  const records = folderOf("docs/adr");
  expect(records.map((path) => Number(relative("docs/adr", path).slice(0, 4)))).toEqual(
    records.map((_, index) => index + 1),
  );
  for (const path of records) {
    expect(textOf(path)).toMatch(
      new RegExp(`^# ${relative("docs/adr", path).slice(0, 4)} .+\n\nStatus: \\w+, \\d{4}-\\d{2}-\\d{2}\n`),
    );
    expect(textOf(path)).toMatch(/\n## Decision\n[\s\S]*\n## Consequences\n/);
  }
});
