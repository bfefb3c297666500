import { readFile } from "node:fs/promises";
import { z } from "zod";

const flagFile = z.record(z.string(), z.boolean());

/** Flags that are flipped on this machine: `{"<flag>": true}` in a file that need not exist, read anew each time. */
export async function readFlagFile(file: string): Promise<Record<string, boolean>> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "{}";
    throw error;
  });
  return flagFile.parse(JSON.parse(text));
}
