import * as z from "zod";

/** What Vercel posts about a deployment, as far as a release is told from it. `meta` differs with the Git host. */
const deploymentEvent = z.object({
  type: z.string(),
  payload: z.object({
    target: z.string().nullish(),
    deployment: z.object({
      id: z.string(),
      meta: z.record(z.string(), z.unknown()).nullish(),
    }),
  }),
});

const branchFields = ["branch", "githubCommitRef", "gitlabCommitRef", "bitbucketCommitRef"];

/** Whether an event makes a changelog entry, and why not: only the production deployment of the release branch does. */
export function judgeDeployment(
  event: unknown,
  releaseBranch: string,
): { release: true } | { release: false; reason: string } {
  const parsed = deploymentEvent.safeParse(event);
  if (!parsed.success) return { release: false, reason: "not a deployment" };
  const { type, payload } = parsed.data;
  if (type !== "deployment.succeeded") return { release: false, reason: "another event" };
  if (payload.target !== "production") return { release: false, reason: "not production" };
  const meta = payload.deployment.meta ?? {};
  const branch = branchFields.map((field) => meta[field]).find((value) => typeof value === "string" && value !== "");
  return branch === releaseBranch ? { release: true } : { release: false, reason: "another branch" };
}

/** Vercel also tells of projects and of a deployment's other states; none of that needs anyone's attention. */
export const isKnownVercelType = (type: string): boolean => /^(?:deployment|project)\./.test(type);
