import * as z from "zod";

/** Commits go into a path of GitHub's API. */
const commitSha = z.string().regex(/^[0-9a-f]{7,40}$/i, "must be a commit's sha");

/** What a release is made from, of Vercel's deployment events. `meta` names the commit after the Git host. */
const deploymentEvent = z.object({
  /** Epoch milliseconds. */
  createdAt: z.number(),
  payload: z.object({
    deployment: z.object({
      id: z.string().min(1).max(200),
      url: z.string().max(500).nullish(),
      meta: z.object({
        commitId: commitSha.nullish(),
        githubCommitSha: commitSha.nullish(),
        previousCommitId: commitSha.nullish(),
      }),
    }),
  }),
});

export interface Deployment {
  id: string;
  createdMs: number;
  url: string | null;
  commitSha: string | null;
  /** Vercel itself does not send it: only who calls in its place does. */
  previousCommitSha: string | null;
}

/** Reads a deployment out of a stored Vercel event; the reason where it is none. */
export function readDeployment(data: unknown): Deployment | { invalid: string } {
  const parsed = deploymentEvent.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { invalid: `${issue?.path.join(".") || "event"}: ${issue?.message ?? "is not a deployment"}` };
  }
  const { createdAt, payload } = parsed.data;
  const { id, url, meta } = payload.deployment;
  return {
    id,
    createdMs: createdAt,
    url: url ?? null,
    commitSha: meta.commitId ?? meta.githubCommitSha ?? null,
    previousCommitSha: meta.previousCommitId ?? null,
  };
}
