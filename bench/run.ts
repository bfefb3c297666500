import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.ts";
import { pacer } from "./pacer/pacer.ts";

const benchmarks: Record<string, Benchmark> = { pacer };

const usage = `bench: the numbers we claim

  npm run bench [-- <name>] [--json]   one benchmark, or all; --json ends each with one JSON line

${Object.entries(benchmarks)
  .map(([name, { about }]) => `  ${name}: ${about}`)
  .join("\n")}`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, help: { type: "boolean", short: "h" } },
});
const unknown = positionals.filter((name) => !Object.hasOwn(benchmarks, name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no benchmark ${unknown.join(", ")}.\n`);
  console.log(usage);
  process.exit(unknown.length > 0 ? 2 : 0);
}
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`${name}: ${benchmark.about}`);
  const metrics = await benchmark.run((line) => console.log(`  ${line}`));
  if (values.json) console.log(JSON.stringify({ name, metrics }));
}
