import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generatedDir, generatedDocs } from "./generated-docs.ts";

await mkdir(generatedDir, { recursive: true });
for (const [name, text] of Object.entries(await generatedDocs())) await writeFile(join(generatedDir, name), text);
