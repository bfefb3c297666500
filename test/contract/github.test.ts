import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { exampleRepository } from "../../local/vendors/github/example-repository.ts";
import type { Commit } from "../../local/vendors/github/history.ts";
import { type GithubOptions, startGithub } from "../../local/vendors/github/server.ts";
import type { Exchange } from "../../local/vendors/recording.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createClock } from "./resend-setup.ts";

const TOKEN = "github-token-of-the-test";
const REAL_COMPARISON = new URL("../../../shared/data/github-compare.json", import.meta.url);
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

type TestComparison = {
  status: string;
  ahead_by: number;
  behind_by: number;
  total_commits: number;
  base_commit: { sha: string };
  merge_base_commit: { sha: string };
  commits: { sha: string }[];
  files?: object[];
};

async function start(options: Partial<GithubOptions> = {}) {
  const clock = createClock();
  const standIn = await startGithub({ token: TOKEN, now: clock.now, ...options });
  running.push(standIn);
  const ask = (address: string, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }) =>
    fetch(address.startsWith("http") ? address : standIn.url + address, { headers });
  return {
    clock,
    url: standIn.url,
    ask,
    compare: async (range: string, query = "") => {
      const answer = await ask(`/repos/example/directory/compare/${range}${query}`);
      return { answer, body: (await answer.json()) as TestComparison };
    },
    put: (path: string, body: unknown) => fetch(standIn.url + path, { method: "PUT", body: JSON.stringify(body) }),
  };
}

const shaOf = (n: number) => n.toString(16).padStart(40, "0");

/** A repository of `count` commits after the first, whose shas are the numbers 1, 2, … */
function repositoryOf(count: number) {
  const commitOf = (n: number): Commit => ({
    sha: shaOf(n),
    html_url: `https://github.com/example/directory/commit/${shaOf(n)}`,
    commit: { message: `feat: change ${n}`, author: { name: "Ada Example" } },
  });
  const [base_commit, ...commits] = Array.from({ length: count + 1 }, (_, n) => commitOf(n));
  if (!base_commit) throw new Error("a repository has at least one commit");
  return { owner: "example", repo: "directory", base_commit, commits };
}

const numbers = (body: TestComparison) => body.commits.map(({ sha }) => Number.parseInt(sha, 16));

describe("a comparison", () => {
  it("has the commits of the head that the base has not, oldest first", async () => {
    const { compare } = await start({ repositories: [repositoryOf(9)] });
    const { answer, body } = await compare(`${shaOf(2)}...${shaOf(5)}`);
    expect(answer.status).toBe(200);
    expect(numbers(body)).toEqual([3, 4, 5]);
    expect(body).toMatchObject({ status: "ahead", ahead_by: 3, behind_by: 0, total_commits: 3, files: [] });
    expect([body.base_commit.sha, body.merge_base_commit.sha]).toEqual([shaOf(2), shaOf(2)]);
  });

  it("tells a head that is behind or the same", async () => {
    const { compare } = await start({ repositories: [repositoryOf(9)] });
    const behind = (await compare(`${shaOf(5)}...${shaOf(2)}`)).body;
    expect(behind).toMatchObject({ status: "behind", ahead_by: 0, behind_by: 3, commits: [] });
    expect(behind.merge_base_commit.sha).toBe(shaOf(2));
    expect((await compare("main...main")).body).toMatchObject({ status: "identical", total_commits: 0, commits: [] });
  });

  it("finds a commit by the beginning of its sha", async () => {
    const { compare } = await start();
    const { base_commit, commits } = exampleRepository();
    const { body } = await compare(`${base_commit.sha.slice(0, 7)}...main`);
    expect(body.commits).toEqual(commits);
  });

  it.each([
    "/repos/example/directory/compare/0000000...ffffffff",
    "/repos/example/directory/compare/main",
    "/repos/example/directory/compare/main..main",
    "/repos/example/nothing/compare/main...main",
    "/repos/example/directory/commits",
  ])("of what is not there is a 404: %s", async (path) => {
    const { ask } = await start();
    const answer = await ask(path);
    expect([answer.status, await answer.json()]).toEqual([
      404,
      expect.objectContaining({ message: "Not Found", status: "404" }),
    ]);
  });
});

describe("pages", () => {
  const range = `${shaOf(0)}...${shaOf(260)}`;

  it("are followed by their links to every commit once, beyond 250 of them", async () => {
    const { compare, ask } = await start({ repositories: [repositoryOf(260)] });
    const seen: number[] = [];
    const withFiles: boolean[] = [];
    let { answer, body } = await compare(range, "?per_page=100");
    for (;;) {
      seen.push(...numbers(body));
      withFiles.push(body.files !== undefined);
      expect(body.total_commits).toBe(260);
      const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
      if (next === undefined) break;
      answer = await ask(next);
      body = (await answer.json()) as TestComparison;
    }
    expect(seen).toEqual(Array.from({ length: 260 }, (_, n) => n + 1));
    expect(withFiles).toEqual([true, false, false]);
    expect(answer.headers.get("link")).toMatch(/page=2>; rel="prev", <.*page=1>; rel="first"$/);
  });

  it("that are not asked for give the newest 250 only", async () => {
    const { compare } = await start({ repositories: [repositoryOf(260)] });
    const { answer, body } = await compare(range);
    expect(numbers(body)).toEqual(Array.from({ length: 250 }, (_, n) => n + 11));
    expect(body.total_commits).toBe(260);
    expect(answer.headers.get("link")).toBeNull();
  });

  it.each([
    ["?page=1", 30],
    ["?per_page=1000", 100],
    ["?per_page=none", 30],
    ["?per_page=100&page=3", 60],
    ["?per_page=100&page=4", 0],
  ])("have the length that GitHub gives them: %s", async (query, length) => {
    const { compare } = await start({ repositories: [repositoryOf(260)] });
    expect((await compare(range, query)).body.commits).toHaveLength(length);
  });
});

describe("access", () => {
  it.each([
    [{}, "Requires authentication"],
    [{ authorization: "Bearer another" }, "Bad credentials"],
  ])("needs the token: %j", async (headers, message) => {
    const { ask } = await start();
    const answer = await ask("/repos/example/directory/compare/main...main", headers);
    expect([answer.status, await answer.json()]).toEqual([401, expect.objectContaining({ message })]);
  });

  it("is limited by the hour, and the 403 says until when", async () => {
    const { compare, clock } = await start({ limit: 2 });
    const first = await compare("main...main");
    expect(Object.fromEntries(first.answer.headers)).toMatchObject({
      "x-ratelimit-limit": "2",
      "x-ratelimit-remaining": "1",
      "x-ratelimit-used": "1",
      "x-ratelimit-reset": "1772445600",
      "x-ratelimit-resource": "core",
    });
    await compare("main...main");
    clock.advance(3_599_999);
    const refused = await compare("main...main");
    expect(refused.answer.status).toBe(403);
    expect(refused.answer.headers.get("x-ratelimit-remaining")).toBe("0");
    expect(refused.body).toMatchObject({ message: expect.stringContaining("rate limit exceeded") });
    clock.advance(1);
    expect((await compare("main...main")).answer.status).toBe(200);
  });

  it("can run into the secondary limit, which says how long to wait", async () => {
    const { compare, put } = await start();
    await put("/_faults", { rate429: 1 });
    const { answer } = await compare("main...main");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "60"]);
  });
});

describe("content", () => {
  it("can be replaced while running, without a trace in a recording", async () => {
    const recorded: Exchange[] = [];
    const { compare, put } = await start({ record: (exchange) => recorded.push(exchange) });
    expect(await (await put("/_content", repositoryOf(3))).json()).toEqual({
      repository: "example/directory",
      commits: 3,
    });
    expect(numbers((await compare(`${shaOf(0)}...main`)).body)).toEqual([1, 2, 3]);
    expect(recorded.map(({ url }) => url)).toEqual([
      `https://api.github.com/repos/example/directory/compare/${shaOf(0)}...main`,
    ]);
    expect(JSON.stringify(recorded)).not.toContain(TOKEN);
  });

  it("that is no repository is refused and changes nothing", async () => {
    const { compare, put } = await start();
    const refused = await put("/_content", { ...repositoryOf(3), commits: [{ sha: "1" }] });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("40 hexadecimal digits")]);
    const { commits } = exampleRepository();
    expect((await compare(`${exampleRepository().base_commit.sha}...main`)).body.commits).toEqual(commits);
  });

  const isThere = existsSync(REAL_COMPARISON);
  if (!isThere) process.stderr.write(`Real comparison skipped: no ${REAL_COMPARISON.pathname}\n`);
  it.runIf(isThere)("may be a real comparison, which comes back as it was", async () => {
    const { compare, put } = await start();
    const real = JSON.parse(readFileSync(REAL_COMPARISON, "utf8"));
    expect((await put("/_content", { owner: "example", repo: "directory", ...real })).status).toBe(200);
    const { body } = await compare(`${real.base_commit.sha}...${real.commits.at(-1).sha}`, "?per_page=100");
    expect(body).toMatchObject(real);
  });
});
