import * as z from "zod";
import type { RepositoryCommit } from "../core/changelog-entry.ts";
import { ProviderUnavailable, RateLimited } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { createJsonCaller, failureOf, type JsonAnswer } from "./json-call.ts";

export interface GithubProvider {
  /** What the head has and the base has not, oldest first, however many pages it takes. */
  compareCommits(base: string, head: string): Promise<RepositoryCommit[]>;
}

interface GithubOptions {
  baseUrl: string;
  token: string;
  repository: { owner: string; repository: string };
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}

/** The most GitHub gives; without asking for pages it would give 250 commits and no more (D-68). */
const commitsPerPage = 100;
/** A release of more commits than this is a mistake in the refs. */
const maximumPages = 100;

const comparison = z.object({
  total_commits: z.int(),
  commits: z.array(
    z.object({
      sha: z.string(),
      html_url: z.string(),
      commit: z.object({ message: z.string(), author: z.object({ name: z.string() }).nullish() }),
    }),
  ),
});
const refusal = z.object({ message: z.string() });

export function createGithub({ baseUrl, token, repository, timeoutMs, breaker, now }: GithubOptions): GithubProvider {
  const call = createJsonCaller({
    provider: "github",
    baseUrl,
    timeoutMs,
    breaker,
    now,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "x-github-api-version": "2022-11-28",
      // GitHub refuses requests without one.
      "user-agent": "flux-station",
    },
  });

  const failed = (answer: JsonAnswer): Error => {
    const what = "GitHub compare";
    const message = refusal.safeParse(answer.body).data?.message ?? "no reason given";
    const { status, headers } = answer;
    // Its limits come as 403 too, told apart by these headers.
    if (status === 403 && headers.has("retry-after"))
      return new RateLimited(`${what}: ${message}`, now() + Number(headers.get("retry-after")) * 1000);
    if ((status === 403 || status === 429) && headers.get("x-ratelimit-remaining") === "0")
      return new RateLimited(`${what}: ${message}`, Number(headers.get("x-ratelimit-reset")) * 1000);
    return failureOf(what, answer, { code: "refused", message, nowMs: now() });
  };

  return {
    async compareCommits(base, head) {
      const { owner, repository: name } = repository;
      const found: RepositoryCommit[] = [];
      for (let page = 1; page <= maximumPages; page += 1) {
        const answer = await call("compare", {
          path: `/repos/${owner}/${name}/compare/${encodeURIComponent(`${base}...${head}`)}?per_page=${commitsPerPage}&page=${page}`,
        });
        if (answer.status !== 200) throw failed(answer);
        const parsed = comparison.safeParse(answer.body);
        if (!parsed.success)
          throw new ProviderUnavailable(`GitHub compare answered in another shape: ${parsed.error.message}`);
        const { commits, total_commits: total } = parsed.data;
        for (const { sha, html_url: url, commit } of commits)
          found.push({ sha, url, message: commit.message, author: commit.author?.name ?? "unknown" });
        if (commits.length === 0 || found.length >= total) break;
      }
      return found;
    },
  };
}
