import type { Context } from "hono";
import { z } from "zod";
import { DiscordRefusal, type FormErrors } from "./errors.ts";

/** Over the titles, descriptions, field names and values, footers and authors of all embeds of a message. */
const EMBED_TOTAL_LENGTH = 6_000;

// Lengths and the names of what Discord does not take from https://discord.com/developers/docs/resources/message.
const text = (maxLength: number) => z.string().max(maxLength).trim();
const link = z.url({ protocol: /^https?$/ }).max(2_048);
const picture = z.object({ url: link.nullish() });

const embedSchema = z.object({
  title: text(256).nullish(),
  description: text(4_096).nullish(),
  url: link.nullish(),
  color: z.int().min(0).max(16_777_215).nullish(),
  timestamp: z.iso.datetime({ offset: true, local: true }).nullish(),
  author: z.object({ name: text(256).nullish(), url: link.nullish(), icon_url: link.nullish() }).nullish(),
  footer: z.object({ text: text(2_048).nullish(), icon_url: link.nullish() }).nullish(),
  image: picture.nullish(),
  thumbnail: picture.nullish(),
  fields: z
    .array(z.object({ name: text(256).min(1), value: text(1_024).min(1), inline: z.boolean().nullish() }))
    .max(25)
    .nullish(),
});

export type Embed = z.output<typeof embedSchema>;

const editSchema = z.object({
  content: text(2_000).nullish(),
  embeds: z.array(embedSchema).max(10).nullish(),
  allowed_mentions: z.looseObject({}).nullish(),
  flags: z.int().nullish(),
});

const createSchema = editSchema.extend({
  username: z
    .string()
    .min(1)
    .max(80)
    .refine((name) => !/discord|clyde/i.test(name), { params: { code: "USERNAME_INVALID_CONTAINS" } })
    .nullish(),
  avatar_url: link.nullish(),
  tts: z.boolean().nullish(),
});

export type MessageEdit = z.output<typeof editSchema>;
export type NewMessage = z.output<typeof createSchema>;

/** The body of a new message, or Discord's refusal of it. */
export async function readNewMessage(c: Pick<Context, "req">): Promise<NewMessage> {
  return parse(await readJson(c), createSchema);
}

/** The body of an edit; what it does not name stays as it is. */
export async function readEdit(c: Pick<Context, "req">): Promise<MessageEdit> {
  return parse(await readJson(c), editSchema);
}

/** Refuses what would show nothing. An embed without any text or picture does not count. */
export function requireSomethingToShow(message: { content: string; embeds: Embed[] }): void {
  if (message.content === "" && message.embeds.every(isEmpty)) throw new DiscordRefusal("emptyMessage");
}

async function readJson(c: Pick<Context, "req">): Promise<unknown> {
  const body = await c.req.text();
  // Without this header Discord looks for form fields, finds none, and calls the message empty.
  if (body === "" || !/^application\/json\b/i.test(c.req.header("content-type") ?? "")) return {};
  try {
    return JSON.parse(body);
  } catch {
    throw new DiscordRefusal("invalidJson");
  }
}

function parse<Schema extends typeof editSchema>(value: unknown, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (!parsed.success) throw new DiscordRefusal("invalidForm", formErrors(parsed.error.issues));
  const total = (parsed.data.embeds ?? []).reduce((sum, embed) => sum + lengthOf(embed), 0);
  if (total > EMBED_TOTAL_LENGTH) {
    const message = `Embed size exceeds maximum size of ${EMBED_TOTAL_LENGTH}`;
    throw new DiscordRefusal("invalidForm", {
      embeds: { _errors: [{ code: "MAX_EMBED_SIZE_EXCEEDED", message }] },
    });
  }
  return parsed.data;
}

function lengthOf(embed: Embed): number {
  const fields = (embed.fields ?? []).flatMap(({ name, value }) => [name, value]);
  return [embed.title, embed.description, embed.footer?.text, embed.author?.name, ...fields]
    .map((part) => part?.length ?? 0)
    .reduce((sum, length) => sum + length, 0);
}

function isEmpty(embed: Embed): boolean {
  return lengthOf(embed) === 0 && !embed.image?.url && !embed.thumbnail?.url;
}

function formErrors(issues: z.core.$ZodIssue[]): FormErrors {
  const root: FormErrors = {};
  for (const issue of issues) {
    let node = root;
    for (const key of issue.path.map(String)) {
      const child = node[key];
      const next: FormErrors = child && !Array.isArray(child) ? child : {};
      node[key] = next;
      node = next;
    }
    const errors = Array.isArray(node._errors) ? node._errors : [];
    node._errors = [...errors, formError(issue)];
  }
  return root;
}

/** Zod's finding in the words that Discord has for it. */
function formError(issue: z.core.$ZodIssue): { code: string; message: string } {
  if (issue.code === "too_big" && (issue.origin === "string" || issue.origin === "array")) {
    return { code: "BASE_TYPE_MAX_LENGTH", message: `Must be ${issue.maximum} or fewer in length.` };
  }
  if (issue.code === "too_big") {
    return { code: "NUMBER_TYPE_MAX", message: `int value should be less than or equal to ${issue.maximum}.` };
  }
  const isMissing = issue.code === "too_small" && issue.origin === "string";
  if (isMissing || (issue.code === "invalid_type" && issue.input === undefined)) {
    return { code: "BASE_TYPE_REQUIRED", message: "This field is required" };
  }
  if (issue.code === "too_small") {
    return { code: "NUMBER_TYPE_MIN", message: `int value should be greater than or equal to ${issue.minimum}.` };
  }
  if (issue.code === "invalid_format" && issue.format === "url") {
    return { code: "URL_TYPE_INVALID_URL", message: "Not a well formed URL." };
  }
  if (issue.code === "invalid_format") {
    return { code: "DATE_TIME_TYPE_PARSE", message: `Could not parse ${String(issue.input)}. Should be ISO8601.` };
  }
  if (issue.code === "custom") {
    return { code: "USERNAME_INVALID_CONTAINS", message: 'Username cannot contain "discord" or "clyde"' };
  }
  return { code: "BASE_TYPE_CHOICES", message: `This value has the wrong type: ${issue.message}` };
}
