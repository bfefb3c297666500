import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Name of the file in an assembly that tells which sources it was made of. */
export const inputsHashFile = "inputs.sha256";

/** Everything that an assembly is made of. Whatever is missing here would leave an old assembly in use. */
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

/** Changes whenever a source of the assembly, or the Node that synthesizes, does. */
export async function hashInputs(root: string): Promise<string> {
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
