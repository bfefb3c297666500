import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const manifestSchema = z.object({
  artifacts: z.record(z.string(), z.object({ type: z.string(), properties: z.unknown().optional() })),
});
const stackProperties = z.object({ templateFile: z.string() });
const assetManifestProperties = z.object({ file: z.string() });
const assetManifestSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.object({ path: z.string().optional(), packaging: z.string().optional() }),
      destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
    }),
  ),
});
const templateSchema = z.object({
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      Properties: z.record(z.string(), z.unknown()).default({}),
      Condition: z.string().optional(),
    }),
  ),
  Parameters: z.record(z.string(), z.object({ Type: z.string(), Default: z.unknown().optional() })).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
});

/** The parts of a CloudFormation template that this machine reads; intrinsics are still unresolved. */
export type Template = z.infer<typeof templateSchema>;

export interface Assembly {
  stackName: string;
  template: Template;
  /** The directory that a function's `Code.S3Key` was packed from; throws when the assembly has no such asset. */
  assetDirectory(s3Key: string): string;
}

export class AssemblyError extends Error {
  override name = "AssemblyError";
}

/** Reads the single stack of a CDK assembly (`cdk.out`) with its assets. Throws AssemblyError naming file and fault. */
export async function readAssembly(dir: string): Promise<Assembly> {
  const manifest = await readJson(join(dir, "manifest.json"), manifestSchema);
  const stacks = Object.entries(manifest.artifacts).filter(
    ([, artifact]) => artifact.type === "aws:cloudformation:stack",
  );
  const [stack] = stacks;
  if (stack === undefined || stacks.length > 1) {
    const found = stacks.length === 0 ? "none" : stacks.map(([id]) => id).join(", ");
    throw new AssemblyError(`${dir} must hold exactly one stack, found: ${found}. Run npm run synth again.`);
  }
  const [stackName, artifact] = stack;
  const { templateFile } = stackProperties.parse(artifact.properties);
  const template = await readJson(join(dir, templateFile), templateSchema);

  const directories = new Map<string, string>();
  for (const candidate of Object.values(manifest.artifacts)) {
    if (candidate.type !== "cdk:asset-manifest") continue;
    const { file } = assetManifestProperties.parse(candidate.properties);
    const { files } = await readJson(join(dir, file), assetManifestSchema);
    for (const { source, destinations } of Object.values(files)) {
      if (source.packaging !== "zip" || source.path === undefined) continue;
      for (const { objectKey } of Object.values(destinations)) directories.set(objectKey, join(dir, source.path));
    }
  }
  return {
    stackName,
    template,
    assetDirectory: (s3Key) => {
      const directory = directories.get(s3Key);
      if (directory === undefined) {
        throw new AssemblyError(`No directory asset in ${dir} has the key ${s3Key}. Run npm run synth again.`);
      }
      return directory;
    },
  };
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new AssemblyError(`Cannot read ${file}. Run npm run synth first.`, { cause });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AssemblyError(`${file} is not a CDK assembly file. Run npm run synth again.`, { cause });
  }
}
