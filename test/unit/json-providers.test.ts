import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createEmbeddings } from "../../lambdas/providers/embeddings.ts";
import { createGithub } from "../../lambdas/providers/github.ts";
import { createImages } from "../../lambdas/providers/images.ts";
import { createPackages } from "../../lambdas/providers/packages.ts";
import { startEmbeddings } from "../../local/vendors/embeddings/server.ts";
import { exampleRepository } from "../../local/vendors/github/example-repository.ts";
import { startGithub } from "../../local/vendors/github/server.ts";
import { startImages } from "../../local/vendors/images.ts";
import { startPackages } from "../../local/vendors/packages.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createClock } from "./state.ts";

const running: StandIn[] = [];
afterEach(async () => {
  for (const standIn of running.splice(0)) await standIn.close();
});
beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});

const clock = createClock();
const common = { timeoutMs: 1000, now: clock.now };
async function start(standIn: Promise<StandIn>): Promise<string> {
  const started = await standIn;
  running.push(started);
  return started.url;
}
const faults = (url: string, wanted: object) =>
  fetch(`${url}/_faults`, { method: "PUT", body: JSON.stringify(wanted) });
const stateOf = async (url: string) => JSON.parse(await (await fetch(`${url}/_state`)).text());
const callsOf = async (url: string): Promise<{ path: string }[]> =>
  JSON.parse(await (await fetch(`${url}/_calls`)).text());
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("GitHub", () => {
  const shaOf = (n: number) => n.toString(16).padStart(40, "0");
  const [commit] = exampleRepository().commits;
  const commits = Array.from({ length: 620 }, (_, n) => ({
    sha: shaOf(n + 1),
    html_url: `https://github.com/example/directory/commit/${shaOf(n + 1)}`,
    commit: { message: `feat: ${n + 1}`, author: n === 0 ? null : { name: "Ada" } },
  }));
  const repositories = commit
    ? [{ owner: "example", repo: "directory", base_commit: { ...commit, sha: shaOf(0) }, commits }]
    : [];
  const open = (baseUrl: string, token = "token") =>
    createGithub({ ...common, baseUrl, token, repository: { owner: "example", repository: "directory" } });

  test("compares beyond the 250 commits that it gives unasked, each once and in order", async () => {
    const url = await start(startGithub({ token: "token", repositories, now: clock.now }));
    const found = await open(url).compareCommits(shaOf(0), shaOf(620));
    expect(found.map(({ sha }) => sha)).toEqual(commits.map(({ sha }) => sha));
    expect(found[0]).toEqual({ sha: shaOf(1), url: commits[0]?.html_url, message: "feat: 1", author: "unknown" });
    expect(await callsOf(url)).toHaveLength(7);
  });

  test("finds nothing new in an older commit", async () => {
    const url = await start(startGithub({ token: "token", repositories, now: clock.now }));
    expect(await open(url).compareCommits(shaOf(5), shaOf(2))).toEqual([]);
  });

  test("is waited for until its limit's hour is over", async () => {
    const url = await start(startGithub({ token: "token", repositories, now: clock.now, limit: 1 }));
    const github = open(url);
    await github.compareCommits(shaOf(0), shaOf(1));
    expect(await failure(github.compareCommits(shaOf(0), shaOf(1)))).toMatchObject({
      name: "RateLimited",
      untilMs: clock.now() + 3_600_000,
    });
    await faults(url, { rate429: 1 });
    expect(await failure(github.compareCommits(shaOf(0), shaOf(1)))).toMatchObject({ untilMs: clock.now() + 60_000 });
  });

  test("that does not know the commits refuses, and that does not know us is misconfigured", async () => {
    const url = await start(startGithub({ token: "token", repositories, now: clock.now }));
    expect(await failure(open(url).compareCommits("fffffff", shaOf(1)))).toMatchObject({ name: "ProviderRefused" });
    expect(await failure(open(url, "old").compareCommits(shaOf(0), shaOf(1)))).toMatchObject({
      name: "ProviderMisconfigured",
    });
  });
});

describe("embeddings", () => {
  const models = { small: { dimensions: 8, shortens: true }, fixed: { dimensions: 8, shortens: false } };
  const open = async (model: { model: string; dimensions: number; shortens: boolean }) => {
    const baseUrl = await start(startEmbeddings({ apiKey: "key", models, now: clock.now }));
    return { url: baseUrl, embeddings: createEmbeddings({ ...common, baseUrl, apiKey: "key", model }) };
  };

  test("have the configured length, shortened where the model can", async () => {
    const fixed = await open({ model: "fixed", dimensions: 8, shortens: false });
    expect(await fixed.embeddings.embed("a text")).toHaveLength(8);
    const shortened = await open({ model: "small", dimensions: 4, shortens: true });
    expect(await shortened.embeddings.embed("a text")).toHaveLength(4);
  });

  test("of another length are refused, with what to correct", async () => {
    const { embeddings } = await open({ model: "fixed", dimensions: 9, shortens: false });
    expect(await failure(embeddings.embed("a text"))).toMatchObject({
      name: "ProviderMisconfigured",
      message: expect.stringContaining("embeddings.dimensions"),
    });
  });

  test("of a text beyond the model's limit are those of its beginning", async () => {
    const { embeddings, url } = await open({ model: "fixed", dimensions: 8, shortens: false });
    expect(await embeddings.embed("🤖".repeat(100_000))).toHaveLength(8);
    expect(await stateOf(url)).toMatchObject({ embeddings: [{ tokens: Math.ceil(8188 / 4) }] });
  });

  test("that are asked for too fast are put off; an unknown model is the config's fault", async () => {
    const { embeddings, url } = await open({ model: "fixed", dimensions: 8, shortens: false });
    await faults(url, { rate429: 1 });
    expect(await failure(embeddings.embed("x"))).toMatchObject({ name: "RateLimited", untilMs: clock.now() + 1000 });
    await faults(url, { rate5xx: 1 });
    expect(await failure(embeddings.embed("x"))).toMatchObject({ name: "ProviderUnavailable" });
    const unknown = await open({ model: "none", dimensions: 8, shortens: false });
    expect(await failure(unknown.embeddings.embed("x"))).toMatchObject({ name: "ProviderMisconfigured" });
  });
});

describe("the adopter's own services", () => {
  const edge = {
    serviceKey: "key",
    publishedUrl: "https://project.example.com/functions/v1/public-api",
    now: clock.now,
  };

  test("make a card with its category among the parameters, thumbnails and logos of their subject", async () => {
    const baseUrl = await start(startImages(edge));
    const images = createImages({ ...common, baseUrl, serviceRoleKey: "key" });
    await images.generate({ type: "card", content_id: "c1", params: { title: "A", category: "mcp", slug: "a" } });
    await images.generate({ type: "thumbnail", content_id: "c1", image_data: "aGVsbG8=" });
    await images.generate({ type: "logo", company_id: "o1", image_data: "aGVsbG8=" });
    expect(await stateOf(baseUrl)).toMatchObject({
      images: [
        { kind: "card", subject: "c1", params: { category: "mcp", slug: "a" } },
        { kind: "thumbnail", subject: "c1", inputBytes: 5 },
        { kind: "logo", subject: "o1" },
      ],
    });
    await faults(baseUrl, { rate5xx: 1 });
    const wish = { type: "card", params: { title: "A" } } as const;
    expect(await failure(images.generate(wish))).toMatchObject({ name: "ProviderUnavailable" });
    await faults(baseUrl, {});
    const strange = createImages({ ...common, baseUrl, serviceRoleKey: "other" });
    expect(await failure(strange.generate(wish))).toMatchObject({ name: "ProviderMisconfigured" });
  });

  test("make a download, and refuse a category that has none", async () => {
    const baseUrl = await start(startPackages(edge));
    const packages = createPackages({ ...common, baseUrl, serviceRoleKey: "key" });
    const wish = { content_id: "c1", category: "skills", slug: "a", created_at: "2026-11-24T10:00:00.000Z" };
    await packages.generate(wish);
    expect(await stateOf(baseUrl)).toMatchObject({ packages: [{ content_id: "c1", path: "skills/a.zip" }] });
    expect(await failure(packages.generate({ ...wish, category: "rules" }))).toMatchObject({
      name: "ProviderRefused",
      message: expect.stringContaining("Generator not found"),
    });
  });
});
