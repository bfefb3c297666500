import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hashInputs, inputsHashFile } from "../../infra/inputs-hash.ts";

/** Long enough that no station still loads functions from an asset of an older assembly. */
const keptAssetMs = 24 * 3_600_000;

/** The synthesis failed; the message is what it printed. */
export class SynthesisFailed extends Error {
  override name = "SynthesisFailed";
}

/** Path of an assembly that matches the sources: `cdk.out` as it is, or made anew when any input changed. */
export async function freshAssembly(root: string, onSynthesis: () => void): Promise<string> {
  const assemblyDir = join(root, "cdk.out");
  const hashFile = join(assemblyDir, inputsHashFile);
  const wanted = await hashInputs(root);
  const present = await readFile(hashFile, "utf8").catch(() => "");
  if (present === wanted) return assemblyDir;
  onSynthesis();
  await mkdir(join(root, "build"), { recursive: true });
  const workDir = await mkdtemp(join(root, "build", "assembly-"));
  try {
    await synthesize(root, join(workDir, "cdk.out"));
    const made = await readdir(join(workDir, "cdk.out"));
    await rm(hashFile, { force: true });
    await moveInto(assemblyDir, join(workDir, "cdk.out"));
    await removeOldAssets(assemblyDir, made);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
  await writeFile(hashFile, wanted);
  return assemblyDir;
}

/**
 * Two stations may start at once, and one that runs may still read its assets: so each is made apart and moved in
 * piece by piece. An asset folder is named by its content; one that is there already is the same.
 */
async function moveInto(assemblyDir: string, madeDir: string): Promise<void> {
  await mkdir(assemblyDir, { recursive: true });
  const present = new Set(await readdir(assemblyDir));
  for (const entry of await readdir(madeDir, { withFileTypes: true })) {
    if (entry.isDirectory() && present.has(entry.name)) continue;
    await rename(join(madeDir, entry.name), join(assemblyDir, entry.name)).catch((error: unknown) => {
      if (!entry.isDirectory()) throw error;
    });
  }
}

async function removeOldAssets(assemblyDir: string, inUse: string[]): Promise<void> {
  for (const name of await readdir(assemblyDir)) {
    if (!name.startsWith("asset.") || inUse.includes(name)) continue;
    const { mtimeMs } = await stat(join(assemblyDir, name));
    if (Date.now() - mtimeMs > keptAssetMs) await rm(join(assemblyDir, name), { recursive: true, force: true });
  }
}

async function synthesize(root: string, outdir: string): Promise<void> {
  const child = spawn(process.execPath, ["infra/app.ts"], {
    cwd: root,
    // The validation takes seconds and says nothing about how the stack runs; `npm run synth` and the tests have it.
    env: { ...process.env, CDK_OUTDIR: outdir, CDK_VALIDATION: "false" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let printed = "";
  child.stderr.on("data", (chunk) => {
    printed += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new SynthesisFailed(`The stack cannot be synthesized:\n${printed.trim()}`);
}
