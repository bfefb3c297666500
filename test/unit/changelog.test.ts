import { describe, expect, test } from "vitest";
import { composeChangelogEntry } from "../../lambdas/core/changelog-entry.ts";
import { clip } from "../../lambdas/core/clip.ts";
import { parseConventionalCommit } from "../../lambdas/core/conventional-commit.ts";
import { readDeployment } from "../../lambdas/core/deployment.ts";

describe("a conventional commit", () => {
  test.each([
    ["feat: search", { type: "feat", scope: null, breaking: false, text: "search" }],
    ["fix(api): an empty page", { type: "fix", scope: "api", breaking: false, text: "an empty page" }],
    ["feat!: ids are gone", { type: "feat", scope: null, breaking: true, text: "ids are gone" }],
    ["refactor(api)!: by slug", { type: "refactor", scope: "api", breaking: true, text: "by slug" }],
    ["Feat: Search", { type: "feat", scope: null, breaking: false, text: "Search" }],
    ["perf: faster\n\nBREAKING CHANGE: needs Node 24", { type: "perf", scope: null, breaking: true, text: "faster" }],
    ["fix:tight", { type: "fix", scope: null, breaking: false, text: "tight" }],
  ])("is read from %j", (message, commit) => {
    expect(parseConventionalCommit(message)).toEqual(commit);
  });

  test.each([
    "docs: how to",
    "chore: tidy",
    "Merge branch 'main'",
    "feature: no",
    "feat:",
    "feat:   ",
    "",
    "wip\nfeat: x",
  ])("is not %j", (message) => {
    expect(parseConventionalCommit(message)).toBeUndefined();
  });
});

describe("a changelog entry", () => {
  const commit = (message: string, author = "Ada Example") => ({
    sha: "a".repeat(40),
    url: "https://github.com/example/directory/commit/a",
    message,
    author,
  });
  const entryOf = (...messages: string[]) =>
    composeChangelogEntry(
      messages.map((message) => commit(message)),
      { branch: "main" },
    );

  test("sorts what readers care about, and is named after the first of it", () => {
    expect(
      entryOf("chore: start", "fix: the filter", "feat(search): ranking\n\nmore", "perf: the feed", "revert: x"),
    ).toMatchObject({
      title: "The filter",
      tldr: "the filter",
      description: "1 added, 1 changed, 2 fixed",
      sections: [
        { title: "Added", items: ["Ranking"] },
        { title: "Changed", items: ["The feed"] },
        { title: "Fixed", items: ["The filter", "X"] },
      ],
      content: "### Added\n\n- Ranking\n\n### Changed\n\n- The feed\n\n### Fixed\n\n- The filter\n- X",
      keywords: ["changelog", "release", "added", "changed", "fixed", "main"],
      contributors: ["Ada Example"],
    });
  });

  test("has all commits, those that are not told of too", () => {
    expect(entryOf("chore: start", "feat: a")?.commits.map(({ message }) => message)).toEqual([
      "chore: start",
      "feat: a",
    ]);
  });

  test("does not come of commits that concern no reader", () => {
    expect(entryOf("docs: how", "Merge branch 'main'")).toBeUndefined();
    expect(entryOf()).toBeUndefined();
  });

  test("says what breaks, and lets no commit write markup", () => {
    expect(entryOf("feat!: <script>alert(1)</script> & more")).toMatchObject({
      sections: [{ items: ["Breaking: <script>alert(1)</script> & more"] }],
      content: "### Added\n\n- Breaking: &lt;script&gt;alert(1)&lt;/script&gt; &amp; more",
    });
  });

  test("keeps within what a notification can show", () => {
    const entry = entryOf(`feat: ${"🛠️ word ".repeat(400)}`);
    expect(entry?.title.length).toBeLessThanOrEqual(100);
    expect(entry?.tldr.length).toBeLessThanOrEqual(500);
    expect(entry?.title).toMatch(/…$/);
  });
});

test("a text is cut between characters, within its limit however characters are counted", () => {
  expect(clip("  short  ", 5)).toBe("short");
  expect(clip("🤖🤖🤖", 6)).toBe("🤖🤖🤖");
  expect(clip("🤖🤖🤖", 5)).toBe("🤖🤖…");
  expect(clip("🤖🤖🤖", 4)).toBe("🤖…");
  expect(clip("abcdef", 4)).toBe("abc…");
});

describe("a deployment", () => {
  const event = (meta: object = {}) => ({
    createdAt: 1_790_000_000_000,
    payload: { deployment: { id: "dpl_1", url: "directory.example.com", meta: { branch: "main", ...meta } } },
  });

  test("names its commit, whoever told of it", () => {
    const read = { id: "dpl_1", createdMs: 1_790_000_000_000, url: "directory.example.com" };
    expect(readDeployment(event({ commitId: "b".repeat(40), previousCommitId: "a".repeat(40) }))).toEqual({
      ...read,
      commitSha: "b".repeat(40),
      previousCommitSha: "a".repeat(40),
    });
    expect(readDeployment(event({ githubCommitSha: "c".repeat(40) }))).toEqual({
      ...read,
      commitSha: "c".repeat(40),
      previousCommitSha: null,
    });
  });

  test.each([
    [null, /expected object/i],
    [event({ commitId: "../../user" }), /commit's sha/],
    [{ ...event(), createdAt: "yesterday" }, /createdAt/],
  ])("is not read from what is none", (data, reason) => {
    expect(readDeployment(data)).toEqual({ invalid: expect.stringMatching(reason) });
  });
});
