import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What may be in no log line of a station. */
export type LeakRule = "e-mail address" | "credential" | "token" | "unsubscribe token" | "markup" | "mail" | "body";

export interface Leak {
  rule: LeakRule;
  /** Counted from 1. */
  lineNumber: number;
  /** The line around what was found, which is blacked out: the report of a leak must be none. */
  redacted: string;
}

export interface LogScan {
  lines: number;
  /** The codes of the lines, such as `mail.accepted`. */
  codes: Set<string>;
  leaks: Leak[];
}

/** What only this run knows of what must not be logged. */
export interface Forbidden {
  secrets: Iterable<string>;
  /** Sentences of the mails that were sent. */
  sentences: Iterable<string>;
}

/** A log that says too much; the message names each line and rule. */
export class LogLeaks extends Error {
  override name = "LogLeaks";
}

const patterns: [LeakRule, RegExp][] = [
  ["e-mail address", /[\w.+%-]+(?:@|%40)[a-z\d-]+(?:\.[a-z\d-]+)*\.[a-z]{2,}/i],
  ["token", /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/],
  ["unsubscribe token", /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\.[\w-]{43}/i],
  ["markup", /<\/?(?:!doctype|html|head|body|table|td|div|span|p|a)\b[^>]*>?/i],
];

/** Fields that would hold what somebody wrote or received. A kind, as logged of an RPC's arguments, is no content. */
const contentFields = new Set(["html", "text", "body", "payload", "subject", "Records", "rawBody"]);
const kind = /^(?:string|number|boolean|object|undefined|array of \d+)$/;

/** Looks at every line of a log. */
export function scanLog(text: string, forbidden: Forbidden): LogScan {
  const secrets = [...new Set(forbidden.secrets)].filter((secret) => secret.length >= 8);
  const sentences = [...new Set(forbidden.sentences)];
  const lines = text.split("\n").filter((line) => line !== "");
  const codes = new Set<string>();
  const leaks: Leak[] = [];
  lines.forEach((line, index) => {
    const found = (rule: LeakRule, start: number, length: number) => {
      const around = `${line.slice(Math.max(0, start - 120), start)}█████${line.slice(start + length, start + length + 120)}`;
      leaks.push({ rule, lineNumber: index + 1, redacted: secrets.reduce(blackOut, patterns.reduce(mask, around)) });
    };
    for (const [rule, pattern] of patterns) {
      const hit = pattern.exec(line);
      if (hit) found(rule, hit.index, hit[0].length);
    }
    for (const secret of secrets) if (line.includes(secret)) found("credential", line.indexOf(secret), secret.length);
    for (const sentence of sentences)
      if (line.includes(sentence)) found("mail", line.indexOf(sentence), sentence.length);
    const fields = parse(line);
    if (typeof fields?.message === "string") codes.add(fields.message);
    const content = contentField(fields);
    if (content !== undefined) found("body", line.indexOf(`"${content}"`), line.length);
  });
  return { lines: lines.length, codes, leaks };
}

const mask = (text: string, [, pattern]: [LeakRule, RegExp]): string =>
  text.replaceAll(new RegExp(pattern, "gi"), "█████");
const blackOut = (text: string, secret: string): string => text.replaceAll(secret, "█████");

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return line.startsWith("{") ? JSON.parse(line) : undefined;
  } catch {
    return undefined;
  }
}

/** The name of a field with content in it, at any depth. */
function contentField(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const says = typeof inner === "string" ? !kind.test(inner) && inner !== "" : typeof inner === "object" && inner;
    if (contentFields.has(name) && says) return name;
    const deeper = contentField(inner);
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}

/** The secret values of a record of credentials, and the parts of them that are secret by themselves. */
export function secretsIn(credentials: unknown): string[] {
  if (typeof credentials === "object" && credentials !== null) return Object.values(credentials).flatMap(secretsIn);
  if (typeof credentials !== "string") return [];
  const discordToken = /^\d+\/([\w-]+)$/.exec(credentials)?.[1];
  const standardKey = /whsec_(.+)$/.exec(credentials)?.[1];
  const privateKey = parse(credentials)?.d;
  return [credentials, discordToken, standardKey, privateKey].filter((part) => typeof part === "string");
}

/** Sentences of mails' texts that are too long to be in a log line by chance. */
export function sentencesOf(texts: string[]): string[] {
  const sentences = texts.flatMap((text) => text.split("\n").map((line) => line.trim()));
  // Enough for each kind of mail: a campaign's mails differ in a name, and the log is searched for each sentence.
  return [...new Set(sentences.filter((line) => line.length >= 40 && !line.includes("://")))].slice(0, 60);
}

/** Scans the log of a station whose home is still there. */
export async function scanStationLog(home: string, { secrets, sentences }: Forbidden): Promise<LogScan> {
  const kept: unknown = JSON.parse(await readFile(join(home, "credentials.json"), "utf8").catch(() => "{}"));
  const log = await readFile(join(home, "station.log"), "utf8").catch(() => "");
  return scanLog(log, { secrets: [...secretsIn(kept), ...secrets], sentences });
}

/** Throws LogLeaks when there is any; ten of them say enough. */
export function refuseLeaks({ leaks, lines }: LogScan): void {
  if (leaks.length === 0) return;
  const shown = leaks
    .slice(0, 10)
    .map(({ rule, lineNumber, redacted }) => `  line ${lineNumber}: ${rule}: ${redacted}`);
  throw new LogLeaks(`${leaks.length} leaks in the ${lines} lines of the station's log:\n${shown.join("\n")}`);
}
