import { cp, mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Plugin } from "esbuild";
import { z } from "zod";
import { bundleFunctions } from "../../infra/bundle.ts";
import { physicalName } from "../../lambdas/core/names.ts";
import { resolveStation } from "../../lambdas/core/station.ts";
import { readAssembly } from "../../local/assembly/read-assembly.ts";
import { config } from "../../station.config.ts";
import { type Mutant, mutants } from "./mutants.ts";

/** An edit of a mutant does not fit its source any more: say again what the bug is. */
export class MutantRotten extends Error {
  override name = "MutantRotten";
}

/** Number by which `chaosMutant`, a global of the functions' threads, names a mutant; 0 is none. */
export const numberOf = (mutant: Mutant): number => mutants.indexOf(mutant) + 1;

/** The source with every mutant's edits of it in place, each behind its own switch. */
export function mutated(file: string, source: string): string {
  let text = source;
  for (const mutant of mutants) {
    for (const { find, put } of mutant.edits.filter((edit) => edit.file === file)) {
      if (text.split(find).length !== 2)
        throw new MutantRotten(`"${mutant.name}" looks in ${file} for what is not there exactly once: ${find}`);
      text = text.replace(find, () => put.replaceAll("MUTANT", `(globalThis.chaosMutant === ${numberOf(mutant)})`));
    }
  }
  return text;
}

const files = new Set(mutants.flatMap(({ edits }) => edits.map(({ file }) => file)));

function withMutants(root: string): Plugin {
  return {
    name: "mutants",
    setup: ({ onLoad }) => {
      for (const file of files)
        onLoad({ filter: new RegExp(`/${file.replaceAll(/[.]/g, "\\.")}$`) }, async ({ path }) => ({
          contents: mutated(file, await readFile(path, "utf8")),
          loader: "ts",
          resolveDir: resolve(root, file, ".."),
        }));
    },
  };
}

const functionShape = z.object({
  FunctionName: z.string(),
  Code: z.object({ S3Key: z.string() }),
});

/** Makes an assembly like `assemblyDir` in `folder` whose functions can be switched to each mutant. */
export async function mutantAssembly(root: string, assemblyDir: string, folder: string): Promise<string> {
  const station = resolveStation(config);
  const bundleDir = join(folder, "functions");
  await bundleFunctions(station, bundleDir, [withMutants(root)]);
  const outdir = join(folder, "cdk.out");
  await mkdir(outdir, { recursive: true });
  for (const entry of await readdir(assemblyDir, { withFileTypes: true })) {
    if (entry.isDirectory()) await symlink(join(assemblyDir, entry.name), join(outdir, entry.name));
    else await cp(join(assemblyDir, entry.name), join(outdir, entry.name));
  }
  const { template, assetDirectory } = await readAssembly(outdir);
  const functions = await readdir(bundleDir);
  for (const { Type, Properties } of Object.values(template.Resources)) {
    const parsed = functionShape.safeParse(Properties);
    if (Type !== "AWS::Lambda::Function" || !parsed.success) continue;
    const { FunctionName, Code } = parsed.data;
    const name = functions.find((each) => FunctionName.endsWith(physicalName("", each)));
    if (!name) throw new Error(`No bundle for the function ${FunctionName} was made.`);
    const link = join(outdir, basename(assetDirectory(Code.S3Key)));
    await rm(link);
    await symlink(join(bundleDir, name), link);
  }
  return outdir;
}
