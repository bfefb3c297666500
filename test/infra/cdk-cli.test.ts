import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { readAssembly } from "../../local/assembly/read-assembly.ts";

const root = join(import.meta.dirname, "../..");
const bin = join(root, "node_modules/.bin");

it("the CDK's own command synthesizes the same stack without an account, Docker or network", {
  timeout: 240_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "cdk-cli-"));
  try {
    // Nothing listens there: whatever tries to reach the network fails at once.
    const nowhere = "http://127.0.0.1:9";
    const environment = {
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      HOME: folder,
      HTTPS_PROXY: nowhere,
      HTTP_PROXY: nowhere,
      AWS_EC2_METADATA_DISABLED: "true",
      CDK_DISABLE_CLI_TELEMETRY: "true",
    };
    const outdir = join(folder, "cdk.out");
    await promisify(execFile)(
      join(bin, "cdk"),
      ["synth", "--quiet", "--no-notices", "--output", outdir, "--context", "stage=preview"],
      { cwd: root, env: environment },
    );
    const { template, assetDirectory } = await readAssembly(outdir);
    const functions = Object.values(template.Resources).filter(({ Type }) => Type === "AWS::Lambda::Function");
    expect(functions.length).toBeGreaterThan(0);
    for (const { Properties } of functions) {
      const { Code, FunctionName } = Properties as { Code: { S3Key: string }; FunctionName: string };
      expect(FunctionName).toMatch(/^preview-flux-/);
      expect((await readFile(join(assetDirectory(Code.S3Key), "index.mjs"))).length).toBeGreaterThan(0);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
