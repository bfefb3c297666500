import { z } from "zod";

const commitSchema = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/, "a full commit sha has 40 hexadecimal digits"),
  html_url: z.url(),
  commit: z.looseObject({
    message: z.string(),
    author: z.looseObject({ name: z.string(), date: z.string().optional() }).nullable(),
  }),
});

/** A repository as the stand-in plays it: one line of commits, oldest first, from `base_commit` to the newest. */
export const repositorySchema = z.object({
  owner: z.string().min(1),
  repo: z.string().min(1),
  base_commit: commitSchema,
  commits: z.array(commitSchema),
});

export type Commit = z.output<typeof commitSchema>;
export type Repository = z.output<typeof repositorySchema>;

export type Comparison = {
  status: "identical" | "ahead" | "behind";
  base: Commit;
  mergeBase: Commit;
  /** In the head and not in the base, oldest first. */
  commits: Commit[];
  behindBy: number;
};

/** What lies between two refs: a full sha, seven or more digits of one, or `main` for the newest commit. */
export function compare(repository: Repository, base: string, head: string): Comparison | undefined {
  const line = [repository.base_commit, ...repository.commits];
  const baseIndex = findRef(line, base);
  const headIndex = findRef(line, head);
  const baseCommit = line[baseIndex];
  const headCommit = line[headIndex];
  if (!baseCommit || !headCommit) return undefined;
  const mergeBase = headIndex < baseIndex ? headCommit : baseCommit;
  const status = headIndex === baseIndex ? "identical" : headIndex > baseIndex ? "ahead" : "behind";
  return {
    status,
    base: baseCommit,
    mergeBase,
    commits: line.slice(baseIndex + 1, headIndex + 1),
    behindBy: Math.max(0, baseIndex - headIndex),
  };
}

function findRef(line: Commit[], ref: string): number {
  if (ref === "main") return line.length - 1;
  return /^[0-9a-f]{7,40}$/.test(ref) ? line.findIndex(({ sha }) => sha.startsWith(ref)) : -1;
}
