import { createHash } from "node:crypto";
import type { Commit, Repository } from "./history.ts";

const OWNER = "example";
const REPO = "directory";

/** Made up, in the forms a changelog has to tell apart: scopes, breaking marks, bodies, and what it leaves out. */
const MESSAGES = [
  "chore: start the repository",
  "feat(search): rank entries by how often they are copied",
  "fix: keep the filter when going back",
  "docs: explain how to submit an entry",
  "feat(api)!: entries are listed by slug\n\nBREAKING CHANGE: the numeric id is gone.",
  "perf(feed): build the feed once an hour",
  "Merge branch 'main' into entries",
  "refactor: one way to name a category",
  'revert: "feat(search): rank entries by how often they are copied"',
  "ci: run the checks on every push",
];

/** The repository that the stand-in starts with: `example/directory`, ten commits. */
export function exampleRepository(): Repository {
  const [first, ...rest] = MESSAGES.map(exampleCommit);
  if (!first) throw new Error("the example repository has no commits");
  return { owner: OWNER, repo: REPO, base_commit: first, commits: rest };
}

function exampleCommit(message: string, index: number): Commit {
  const sha = createHash("sha1").update(`${index} ${message}`).digest("hex");
  const date = new Date(Date.UTC(2026, 0, 5, 9 + index)).toISOString();
  return {
    sha,
    html_url: `https://github.com/${OWNER}/${REPO}/commit/${sha}`,
    commit: { message, author: { name: index % 3 === 0 ? "Grace Example" : "Ada Example", date } },
  };
}
