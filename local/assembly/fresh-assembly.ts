import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Everything that the assembly is made of. Whatever is missing here would leave an old assembly in use. */
const inputs = [
  "registry",
  "lambdas",
  "infra",
  "statemachines",
  "station.config.ts",
  "cdk.json",
  "tsconfig.json",
  "package-lock.json",
];

/** The synthesis failed; the message is what it printed. */
export class SynthesisFailed extends Error {
  override name = "SynthesisFailed";
}

/** Path of an assembly that matches the sources: `cdk.out` as it is, or made anew when any input changed. */
export async function freshAssembly(root: string, onSynthesis: () => void): Promise<string> {
  const assemblyDir = join(root, "cdk.out");
  const hashFile = join(assemblyDir, "inputs.sha256");
  const wanted = await hashInputs(root);
  const present = await readFile(hashFile, "utf8").catch(() => "");
  if (present === wanted) return assemblyDir;
  onSynthesis();
  await synthesize(root);
  await writeFile(hashFile, wanted);
  return assemblyDir;
}

async function synthesize(root: string): Promise<void> {
  const child = spawn(process.execPath, ["infra/app.ts"], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  child.stderr.on("data", (chunk) => {
    printed += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new SynthesisFailed(`The stack cannot be synthesized:\n${printed.trim()}`);
}

async function hashInputs(root: string): Promise<string> {
  const hash = createHash("sha256").update(process.version);
  for (const input of inputs) {
    for (const file of await filesUnder(join(root, input)))
      hash.update(`\n${relative(root, file)}\n`).update(await readFile(file));
  }
  return hash.digest("hex");
}

async function filesUnder(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => undefined);
  if (!entries) return [path];
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
