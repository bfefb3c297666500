import * as z from "zod";
import { flags } from "../../registry/flags.ts";
import { providers } from "../../registry/providers.ts";
import { schedules } from "../../registry/schedules.ts";
import { emailAddress } from "./email-address.ts";
import { mapRecord } from "./record.ts";
import type { SegmentName, StationConfig, TopicName } from "./station.ts";

/** One mistake in `station.config.ts`: where it is (`resend.topics.job-board`) and what belongs there. */
export interface ConfigProblem {
  path: string;
  message: string;
}

/** The config cannot be deployed or started; the message lists every mistake, one a line. */
export class InvalidConfig extends Error {
  override name = "InvalidConfig";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ path, message }) => `  ${path || "config"}: ${message}`);
    const mistakes = problems.length === 1 ? "a mistake. Correct it" : `${problems.length} mistakes. Correct them`;
    super(`station.config.ts has ${mistakes} and start again:\n${lines.join("\n")}`);
    this.problems = problems;
  }
}

const text = z.string(expected("a text")).trim().min(1, "must not be empty");
/** Goes into mail headers, where a line break would begin another header. */
const line = text.regex(/^[^\r\n]*$/, "must be one line");
const color = z.string(expected("a colour")).regex(/^#[0-9a-f]{6}$/i, "must be a colour such as #d97757");
const uuid = z.uuid("must be the id Resend shows, such as 11111111-0000-4000-8000-000000000001");

const url = (schemes: readonly string[]) =>
  z.string(expected("a URL")).refine((value) => isPlainUrl(value, schemes), {
    error: `must be a URL such as https://directory.example.com, with ${schemes.join(" or ")}, and without a slash at the end`,
    abort: true,
  });
const webUrl = url(["https", "http"]);
const origin = webUrl.refine((value) => URL.parse(value)?.origin === value, {
  error: "must be an origin: scheme and host only, such as https://directory.example.com",
});

const sender = z.string(expected("a sender")).refine(isSender, {
  error: "must be an address or a name with one: Example Directory <hello@mail.example.com>",
});

const timeZone = z.string(expected("a time zone")).refine(isTimeZone, {
  error: "must be a zone of the IANA list, such as UTC or Europe/Berlin",
});

const scheduleExpression = z.string(expected("a schedule")).refine(isRecurring, {
  error: "must be rate(6 hours) or cron(0 9 ? * MON *): six fields, with ? for exactly one of the two day fields",
});

const topicNames = {
  "weekly-digest": uuid,
  "agents-prompts": uuid,
  "mcp-integrations": uuid,
  "commands-automation": uuid,
  "guides-tutorials": uuid,
  "community-highlights": uuid,
  "job-board": uuid,
  "platform-updates": uuid,
} satisfies Record<TopicName, z.ZodType>;

const segmentNames = {
  newsletter: uuid,
  "high-engagement": uuid,
  "medium-engagement": uuid,
  "low-engagement": uuid,
} satisfies Record<SegmentName, z.ZodType>;

const githubName = z.string(expected("a name")).regex(/^[\w.-]{1,100}$/, "must be a name as GitHub has it in its URLs");

const stationConfig: z.ZodType<StationConfig> = object({
  brand: object({
    name: line,
    siteUrl: webUrl,
    tagline: line,
    digestTopic: line,
    postalAddress: text,
    colors: object({ primary: color, background: color, text: color }),
  }),
  senders: object({
    hello: sender,
    onboarding: sender,
    jobs: sender,
    community: sender,
    contact: sender,
    team: sender,
  }),
  supabaseUrl: url(["https"]),
  apiUrl: url(["https"]).exactOptional(),
  allowedOrigins: z.array(origin, expected("a list of origins")).min(1, "must name at least the site's own origin"),
  resend: object({
    topics: object(topicNames).superRefine(reportTwins),
    segments: object(segmentNames).superRefine(reportTwins),
  }),
  digest: object({
    timeZone,
    mode: oneOf(["broadcast", "batch"]),
    onEmpty: oneOf(["skip", "send"]),
  }),
  changelog: object({ owner: githubName, repository: githubName, branch: line }),
  discord: object({
    channels: z.array(
      oneOf(["jobs", "submissions", "announcements", "changelog", "errors"]),
      expected("a list of channels"),
    ),
  }),
  embeddings: object({
    baseUrl: webUrl,
    model: line,
    dimensions: z.int(expected("a whole number")).min(1, "must be at least 1").max(16_000, "must be at most 16,000"),
    shortens: z.boolean(expected("true or false")),
  }),
  site: object({ revalidateSecretIn: oneOf(["header", "body"]) }),
  captcha: object({ onSubscribe: z.boolean(expected("true or false")).exactOptional() }).exactOptional(),
  schedules: object(
    mapRecord(schedules, () =>
      object({
        expression: scheduleExpression.exactOptional(),
        enabled: z.boolean(expected("true or false")).exactOptional(),
      }).exactOptional(),
    ),
  ).exactOptional(),
  limits: object(
    mapRecord(providers, () =>
      object({
        callsPerSecond: z.number(expected("a number")).positive("must be more than 0").exactOptional(),
      }).exactOptional(),
    ),
  ).exactOptional(),
  flags: object(mapRecord(flags, () => z.boolean(expected("true or false")).exactOptional())).exactOptional(),
  alarms: object({ email: emailAddress.exactOptional() }).exactOptional(),
  logs: object({
    retentionDays: z.literal([7, 14, 30, 90, 365], "must be 7, 14, 30, 90 or 365").exactOptional(),
    level: oneOf(["DEBUG", "INFO", "WARN", "ERROR"]).exactOptional(),
  }).exactOptional(),
});

/** Every mistake of a config at once; an empty list means that it can be deployed. */
export function checkConfig(config: unknown): ConfigProblem[] {
  const result = stationConfig.safeParse(config);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [{ path: issue.path.join("."), message: issue.message }];
    return issue.keys.map((key) => ({ path: [...issue.path, key].join("."), message: issue.message }));
  });
}

function object<S extends z.ZodRawShape>(shape: S) {
  const known = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: ({ code, input }) => {
      if (code === "unrecognized_keys") return `is not known here; known are ${known}`;
      return input === undefined ? `is missing; it holds ${known}` : `must be an object with ${known}`;
    },
  });
}

function oneOf<const V extends readonly string[]>(values: V) {
  return z.enum(values, `must be ${values.join(" or ")}`);
}

function expected(what: string) {
  return {
    error: ({ input }: { input?: unknown }) => (input === undefined ? `is missing: ${what}` : `must be ${what}`),
  };
}

function isPlainUrl(value: string, schemes: readonly string[]): boolean {
  const parsed = URL.parse(value);
  if (!parsed || !schemes.includes(parsed.protocol.slice(0, -1))) return false;
  const { username, password, search, hash } = parsed;
  return username + password + search + hash === "" && !/[/?#\s]$/.test(value);
}

function isSender(value: string): boolean {
  const [, address] = /^[^<>"\r\n]+ <([^<>\s]+)>$/.exec(value) ?? [undefined, value];
  return emailAddress.safeParse(address).success;
}

function isTimeZone(value: string): boolean {
  // Offsets such as +01:00 are zones to Intl and not to EventBridge.
  if (!/^[A-Za-z]/.test(value)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

function isRecurring(value: string): boolean {
  if (/^rate\([1-9]\d* (?:minute|hour|day)s?\)$/.test(value)) return true;
  const fields = /^cron\((.*)\)$/.exec(value)?.[1]?.split(" ") ?? [];
  if (fields.length !== 6 || !fields.every((field) => /^[A-Za-z0-9*?,/#-]+$/.test(field))) return false;
  const [, , dayOfMonth, , dayOfWeek] = fields;
  return (dayOfMonth === "?") !== (dayOfWeek === "?");
}

/** The same id under two names is a slip of copying; both lists would get each other's mail. */
function reportTwins(ids: Record<string, string>, context: z.core.$RefinementCtx): void {
  const first = new Map<string, string>();
  for (const [name, id] of Object.entries(ids)) {
    const twin = first.get(id);
    if (twin) context.addIssue({ code: "custom", path: [name], message: `is the same id as ${twin}` });
    else first.set(id, name);
  }
}
