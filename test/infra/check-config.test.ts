import { describe, expect, it } from "vitest";
import { synthesize } from "../../infra/synthesize.ts";
import { checkConfig, InvalidConfig } from "../../lambdas/core/check-config.ts";
import { resolveStation, type StationConfig } from "../../lambdas/core/station.ts";
import { config } from "../../station.config.ts";
import { adoptersConfig } from "./synthesized.ts";

/** The project's config with one value changed, however wrong. */
function withValue(path: string, value: unknown): unknown {
  const changed: unknown = structuredClone(adoptersConfig);
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  let holder = changed as Record<string, unknown>;
  for (const key of keys) {
    holder[key] ??= {};
    holder = holder[key] as Record<string, unknown>;
  }
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return changed;
}

it("finds nothing wrong with the config as it comes, nor with every override in use", () => {
  expect(checkConfig(config)).toEqual([]);
  expect(checkConfig(adoptersConfig)).toEqual([]);
  expect(checkConfig(withValue("limits", { resend: { callsPerSecond: 10 }, supabase: {} }))).toEqual([]);
  expect(checkConfig(withValue("apiUrl", "https://api.example.com"))).toEqual([]);
});

describe.each<[path: string, wrong: unknown[], message: RegExp, right?: unknown[]]>([
  ["brand.name", ["", "  ", "Two\nlines", undefined], /must not be empty|one line|is missing/],
  [
    "brand.siteUrl",
    [
      "https://a.example.com/",
      "a.example.com",
      "ftp://a.example.com",
      "https://a.example.com?x=1",
      "https://u:p@a.example.com",
      5,
    ],
    /must be a URL/,
    ["https://a.example.com/base", "http://localhost:3000"],
  ],
  ["brand.colors.primary", ["orange", "#fff", "#d9775"], /must be a colour such as #d97757/, ["#D97757"]],
  ["supabaseUrl", ["http://p.supabase.co", "https://p.supabase.co/"], /must be a URL .* with https,/],
  ["apiUrl", ["https://api.example.com/"], /must be a URL/],
  [
    "senders.hello",
    ["Hello hello@example.com", "Hello <hello@>", "hello", "<a@example.com>\r\nBcc: b@example.com"],
    /must be an address/,
    ["a@example.com"],
  ],
  ["allowedOrigins", [[], "https://a.example.com"], /at least the site's own origin|must be a list/],
  ["allowedOrigins.1", ["*", "https://a.example.com/path", "https://a.example.com/"], /must be (an origin|a URL)/],
  ["resend.topics.job-board", ["", "job-board", undefined], /must be the id Resend shows/],
  ["resend.topics.job-board", [config.resend.topics["weekly-digest"]], /is the same id as weekly-digest/],
  ["resend.segments.low-engagement", [config.resend.segments.newsletter], /is the same id as newsletter/],
  [
    "digest.timeZone",
    ["Berlin", "+01:00", "CET/CEST", ""],
    /must be a zone of the IANA list/,
    ["America/New_York", "UTC"],
  ],
  ["digest.mode", ["bulk", undefined], /must be broadcast or batch/],
  ["digest.onEmpty", ["fail"], /must be skip or send/],
  ["changelog.owner", ["", "a/b", "https://github.com/a"], /as GitHub has it/, ["an-owner.io"]],
  ["discord.channels", ["jobs", undefined], /a list of channels/, [[[]], [["jobs"]]]],
  ["discord.channels.0", ["general"], /must be jobs or submissions/],
  ["embeddings.dimensions", [0, 1.5, "1536", 20_000], /at least 1|at most 16,000|whole number|int/],
  ["embeddings.baseUrl", ["https://api.openai.com/"], /must be a URL/, ["http://localhost:11434"]],
  [
    "schedules.weekly-digest.expression",
    [
      "0 9 * * MON",
      "cron(0 9 * * MON)",
      "cron(0 9 * * MON *)",
      "cron(0 9 ? * ? *)",
      "rate(0 days)",
      "rate(one day)",
      "at(2026-01-01T00:00:00)",
    ],
    /six fields, with \? for exactly one/,
    ["cron(0/15 * * * ? *)", "cron(0 9 ? * MON-FRI *)", "rate(1 hour)", "rate(6 hours)"],
  ],
  ["schedules.weekly-digest.enabled", ["yes"], /must be true or false/],
  ["limits.resend.callsPerSecond", [0, -1, "5"], /must be more than 0|must be a number/],
  ["alarms.email", ["operator"], /must be an email address/],
  ["logs.retentionDays", [10, "30"], /must be 7, 14, 30, 90 or 365/],
  ["logs.level", ["debug"], /must be DEBUG or INFO or WARN or ERROR/],
])("%s", (path, wrong, message, right = []) => {
  it.each(wrong)("is named when it is %j", (value) => {
    const problems = checkConfig(withValue(path, value));
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    expect(problems[0]?.message).toMatch(message);
  });

  if (right.length > 0)
    it.each(right)("may be %j", (value) => {
      expect(checkConfig(withValue(path, value))).toEqual([]);
    });
});

it.each([
  ["shedules", /known are .*schedules/],
  ["brand.colour", /known are .*colors/],
  ["schedules.weekly", /known are weekly-digest/],
  ["limits.mailchimp", /known are resend/],
  ["resend.topics.jobs", /known are .*job-board/],
])("names the misspelt key %s and what it could have been", (path, message) => {
  const problems = checkConfig(withValue(path, {}));
  expect(problems.map((problem) => problem.path)).toEqual([path]);
  expect(problems[0]?.message).toMatch(message);
});

it("names every section that is missing", () => {
  expect(checkConfig({}).map(({ path }) => path)).toEqual([
    "brand",
    "senders",
    "supabaseUrl",
    "allowedOrigins",
    "resend",
    "digest",
    "changelog",
    "discord",
    "embeddings",
    "site",
  ]);
  expect(checkConfig(undefined)).toHaveLength(1);
});

it("stops the synthesis before it begins, with all mistakes in one message", async () => {
  const broken: StationConfig = {
    ...config,
    brand: { ...config.brand, siteUrl: "https://directory.example.com/" },
    digest: { ...config.digest, timeZone: "Mars/Olympus" },
  };
  const synthesis = synthesize(resolveStation(broken), {
    outdir: "/nonexistent/out",
    bundleDir: "/nonexistent/bundles",
  });
  const error: unknown = await synthesis.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidConfig);
  expect(String(error)).toBe(
    [
      "InvalidConfig: station.config.ts has 2 mistakes. Correct them and start again:",
      "  brand.siteUrl: must be a URL such as https://directory.example.com, with https or http, and without a slash at the end",
      "  digest.timeZone: must be a zone of the IANA list, such as UTC or Europe/Berlin",
    ].join("\n"),
  );
});
