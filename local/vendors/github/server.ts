import { type Context, Hono } from "hono";
import { z } from "zod";
import { createAnchoredWindow } from "../anchored-window.ts";
import type { Exchange } from "../recording.ts";
import { createSeededFaults, type StandIn, startStandIn, type VendorEnv } from "../stand-in.ts";
import { exampleRepository } from "./example-repository.ts";
import { type Comparison, compare, type Repository, repositorySchema } from "./history.ts";

const HOUR_MS = 3_600_000;
/** Of a personal token, per hour: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api. */
const HOURLY_LIMIT = 5_000;
/** Without `page` and `per_page`, a comparison gives its newest commits only, up to this many. */
const UNPAGED_COMMITS = 250;
const DEFAULT_PER_PAGE = 30;
const MAX_PER_PAGE = 100;
const DOCUMENTATION = "https://docs.github.com/rest/commits/commits#compare-two-commits";

export type GithubOptions = {
  /** The only token that is let in. */
  token: string;
  /** By default the example repository `example/directory`. */
  repositories?: readonly Repository[];
  now: () => number;
  record?: (exchange: Exchange) => void;
  port?: number;
  /** Requests per hour; the `limit` fault says otherwise. */
  limit?: number;
  /** Seed of the dice that decide faults. */
  seedRandom?: number;
};

/**
 * GitHub's `GET /repos/{owner}/{repo}/compare/{base}...{head}` on this machine, pages included. `PUT /_content` takes
 * `{owner, repo, base_commit, commits}`, the last two as a comparison gives them, and replaces that repository.
 */
export function startGithub(options: GithubOptions): Promise<StandIn> {
  const { now, record } = options;
  const faults = createSeededFaults(options.seedRandom);
  const hour = createAnchoredWindow({
    now,
    lengthMs: HOUR_MS,
    limit: () => faults.current().limit ?? options.limit ?? HOURLY_LIMIT,
  });
  const repositories = new Map<string, Repository>();
  const keep = (repository: Repository) => repositories.set(keyOf(repository.owner, repository.repo), repository);
  for (const repository of options.repositories ?? [exampleRepository()]) keep(repository);

  const api = new Hono<VendorEnv>()
    .use(async (c, next) => {
      const refused = hour.read().remaining === 0;
      if (!refused) hour.use();
      const { limit, remaining, used, endsAtMs } = hour.read();
      const token = /^(?:Bearer|token) (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
      if (refused) c.res = refusal(403, "API rate limit exceeded for user ID 1.");
      else if (token === undefined) c.res = refusal(401, "Requires authentication");
      else if (token !== options.token) c.res = refusal(401, "Bad credentials");
      else await next();
      c.res.headers.set("x-ratelimit-limit", String(limit));
      c.res.headers.set("x-ratelimit-remaining", String(remaining));
      c.res.headers.set("x-ratelimit-used", String(used));
      c.res.headers.set("x-ratelimit-reset", String(Math.ceil(endsAtMs / 1_000)));
      c.res.headers.set("x-ratelimit-resource", "core");
    })
    .get("/:owner/:repo/compare/:basehead", (c) => {
      const { owner, repo, basehead } = c.req.param();
      const repository = repositories.get(keyOf(owner, repo));
      const [base, head, ...more] = basehead.split("...");
      const comparison = repository && base && head && more.length === 0 ? compare(repository, base, head) : undefined;
      return comparison ? answerPage(c, comparison) : refusal(404, "Not Found");
    });

  const routes = new Hono<VendorEnv>().route("/repos", api).put("/_content", async (c) => {
    const parsed = repositorySchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: z.prettifyError(parsed.error) }, 400);
    keep(parsed.data);
    return c.json({ repository: keyOf(parsed.data.owner, parsed.data.repo), commits: parsed.data.commits.length });
  });
  routes.notFound(() => refusal(404, "Not Found"));

  return startStandIn({
    vendor: "github",
    publishedUrl: "https://api.github.com",
    routes,
    state: {
      repositories: () =>
        [...repositories.values()].map(({ owner, repo, base_commit, commits }) => ({
          owner,
          repo,
          oldest: base_commit.sha,
          newest: commits.at(-1)?.sha ?? base_commit.sha,
          commits: commits.length,
        })),
    },
    now,
    faults,
    answerFault: (status) =>
      status === 429
        ? refusal(429, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", {
            "retry-after": "60",
          })
        : refusal(500, "Server Error"),
    // What is sent to the stand-in itself is no exchange with the vendor.
    record: record && ((exchange) => exchange.url.endsWith("/_content") || record(exchange)),
    port: options.port,
  });
}

const keyOf = (owner: string, repo: string): string => `${owner}/${repo}`.toLowerCase();

function answerPage(c: Context<VendorEnv>, comparison: Comparison): Response {
  const { status, base, mergeBase, commits, behindBy } = comparison;
  const page = pageOf(c, commits.length);
  const body = {
    url: c.req.url.split("?")[0],
    base_commit: base,
    merge_base_commit: mergeBase,
    status,
    ahead_by: commits.length,
    behind_by: behindBy,
    total_commits: commits.length,
    commits: page ? commits.slice(page.from, page.from + page.size) : commits.slice(-UNPAGED_COMMITS),
    // Changed files come with the first page only; this stand-in knows of none.
    ...(page && page.from > 0 ? {} : { files: [] }),
  };
  return c.json(body, 200, page?.link ? { link: page.link } : {});
}

/** Which commits a request asks for, and the `Link` header that leads to the others; undefined when it is unpaged. */
function pageOf(c: Context<VendorEnv>, total: number): { from: number; size: number; link: string } | undefined {
  const asked = [c.req.query("per_page"), c.req.query("page")];
  if (asked.every((value) => value === undefined)) return undefined;
  const size = Math.min(MAX_PER_PAGE, positive(asked[0], DEFAULT_PER_PAGE));
  const number = positive(asked[1], 1);
  const last = Math.max(1, Math.ceil(total / size));
  const pages = {
    ...(number > 1 ? { prev: Math.min(number - 1, last), first: 1 } : {}),
    ...(number < last ? { next: number + 1, last } : {}),
  };
  const link = Object.entries(pages).map(([rel, target]) => {
    const url = new URL(c.req.url);
    url.searchParams.set("per_page", String(size));
    url.searchParams.set("page", String(target));
    return `<${url}>; rel="${rel}"`;
  });
  return { from: (number - 1) * size, size, link: link.join(", ") };
}

function positive(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : otherwise;
}

function refusal(status: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ message, documentation_url: DOCUMENTATION, status: String(status) }, { status, headers });
}
