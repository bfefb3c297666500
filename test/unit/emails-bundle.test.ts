import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmailMessage, renderEmail } from "../../lambdas/emails/render.ts";
import { config } from "../../station.config.ts";

const root = join(import.meta.dirname, "../..");
const to = { recipient: "ada@example.com", unsubscribeUrl: "https://api.example.com/email/unsubscribe?token=1" };
const entry = { category: "mcp", slug: "one", title: "<One> & 🚀", description: "First", url: "/mcp/one" };
const messages: EmailMessage[] = [
  { template: "newsletter-welcome", ...to },
  { template: "onboarding-getting-started", ...to },
  { template: "onboarding-power-tips", ...to },
  { template: "onboarding-community", ...to },
  { template: "onboarding-stay-engaged", ...to },
  {
    template: "weekly-digest",
    recipient: null,
    unsubscribeUrl: "{{{RESEND_UNSUBSCRIBE_URL}}}",
    digest: {
      weekOf: "September 15 - 21, 2025",
      newContent: [{ ...entry, dateAdded: "2025-09-15T23:30:00Z" }],
      trendingContent: [{ ...entry, viewCount: 1200 }],
    },
  },
];

let directory: string;
let bundle: { sizeBytes: number; packages: Set<string> };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "emails-"));
  const outfile = join(directory, "render.mjs");
  const { metafile } = await build({
    stdin: {
      contents: `import { renderEmail } from "./lambdas/emails/render.ts";
        import { config } from "./station.config.ts";
        const mails = [];
        for (const message of JSON.parse(process.argv[2])) mails.push(await renderEmail(message, config.brand));
        process.stdout.write(JSON.stringify(mails));`,
      resolveDir: root,
      loader: "ts",
    },
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node24",
    jsx: "automatic",
    metafile: true,
    outfile,
    define: { "process.env.NODE_ENV": '"production"' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const [output] = Object.values(metafile.outputs);
  const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = inputs.map(([path]) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "own");
  bundle = { sizeBytes: output?.bytes ?? 0, packages: new Set(packages) };
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function renderInNewProcess(environment: Record<string, string>): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(directory, "render.mjs"), JSON.stringify(messages)],
    { env: environment },
  );
  return JSON.parse(stdout);
}

test("the same messages give the same bytes in every process, time zone, language and build of React", async () => {
  const here = await Promise.all(messages.map((message) => renderEmail(message, config.brand)));
  const again = await Promise.all(messages.map((message) => renderEmail(message, config.brand)));
  expect(again).toEqual(here);
  expect(await renderInNewProcess({ TZ: "Pacific/Auckland", LANG: "de_DE.UTF-8" })).toEqual(here);
  expect(await renderInNewProcess({ TZ: "America/Los_Angeles", LANG: "C" })).toEqual(here);
});

test("what a Lambda carries for mails is React and the components in use, below 300 kB", () => {
  expect(bundle.packages).toContain("react-dom");
  expect(bundle.packages).toContain("@react-email/button");
  const heavy = /tailwind|markdown|marked|prism|code-block|prettier|html-to-text|entities|render$/;
  expect([...bundle.packages].filter((name) => heavy.test(name))).toEqual([]);
  expect(bundle.sizeBytes).toBeLessThan(300_000);
});
