import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { flowMap } from "./flow-map.ts";
import { openApi } from "./openapi.ts";

const root = join(import.meta.dirname, "../..");
export const generatedDir = join(root, "docs/generated");

/** File name → text of everything that belongs into `docs/generated`, formatted as the project's files are. */
export async function generatedDocs(): Promise<Record<string, string>> {
  const packageFile: unknown = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const { version } = z.object({ version: z.string() }).parse(packageFile);
  const texts = { "flow-map.md": flowMap(), "openapi.json": JSON.stringify(openApi(version)) };
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, formatted(name, text)]));
}

function formatted(name: string, text: string): string {
  const biome = join(root, "node_modules/.bin/biome");
  return execFileSync(biome, ["format", `--stdin-file-path=docs/generated/${name}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
}
