import { spawnSync } from "node:child_process";

/** Every check of the project, cheapest first; the tests come last so that their summary is the last thing printed. */
const checks: [name: string, command: string, ...args: string[]][] = [
  ["types", "tsc", "-p", "."],
  ["lint and format", "biome", "check", "--error-on-warnings", "."],
  ["unused code and packages", "knip"],
  ["synthesis", "node", "infra/app.ts"],
];

const filters = process.argv.slice(2);
if (filters.length === 0) {
  for (const [name, command, ...args] of checks) {
    const startedMs = performance.now();
    const { status, stdout, stderr } = spawnSync(`node_modules/.bin/${command}`, args, { encoding: "utf8" });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    if (status !== 0) {
      console.error(`✗ ${name}\n${stdout}${stderr}`);
      process.exit(1);
    }
    console.log(`✓ ${name} (${seconds} s)`);
  }
}
const { status } = spawnSync("node_modules/.bin/vitest", ["run", ...filters], { stdio: "inherit" });
process.exit(status ?? 1);
