import { createHash } from "node:crypto";
import { messageId } from "../../lambdas/core/messages.ts";
import { digestWeek } from "../../lambdas/core/week.ts";
import { chance } from "../../local/chaos/hash.ts";
import { config } from "../../station.config.ts";

/** Somebody who signs up in a seed, and what becomes of them. */
export interface Reader {
  email: string;
  /** Of the subscription; `chaos-station.ts` makes the database give the same one. */
  id: string;
  userId: string;
  source: "footer" | "inline" | "post_copy";
  /** Interactions that lift the score. */
  copies: number;
  leaves: boolean;
}

/** A request whose effect is one mail. */
export interface Ordered {
  path: string;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  to: string;
  ledgerKey: string;
}

export interface Job {
  id: string;
  slug: string;
  /** What its message must say in the end. */
  salary: string;
  /** Paid for by a webhook of Polar's, which puts it online. */
  paid: boolean;
}

/** All that is put into a station in one seed. It depends on the seed alone. */
export interface SeedPlan {
  seed: number;
  readers: Reader[];
  ordered: Ordered[];
  jobs: Job[];
  /** Entries of the directory, dated in the week that the digest is about. */
  entries: { id: string; slug: string; date: string }[];
  submissions: string[];
  digest: { mode: "batch" | "broadcast"; scheduledTime: string };
  /** Whether the sends that are undecided after the faults are older than what Resend remembers. */
  overnight: boolean;
}

const dayMs = 86_400_000;
/** Digests are of Mondays before this one, a week earlier with each seed. */
const latestMonday = Date.parse("2026-11-16T09:00:00Z");
const seedsWithOwnWeek = 400;

/** The same text gives the same id, here and in the database. */
export function uuidOf(text: string): string {
  const hex = createHash("md5").update(text).digest("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)];
  return parts.join("-");
}

/** The week that a seed's digest is claimed by. */
export const weekOf = ({ scheduledTime }: SeedPlan["digest"]): string =>
  digestWeek(Date.parse(scheduledTime), config.digest.timeZone).week;

export function seedPlan(seed: number): SeedPlan {
  const dice = (what: string) => chance(`load/${seed}/${what}`);
  const mondayMs = latestMonday - (seed % seedsWithOwnWeek) * 7 * dayMs;
  const numbers = (length: number) => Array.from({ length }, (_, index) => index);
  return {
    seed,
    readers: numbers(6).map((index) => readerOf(seed, index, dice)),
    ordered: numbers(4).map((index) => orderOf(seed, index)),
    jobs: numbers(4).map((index) => ({
      id: uuidOf(`s${seed}/job/${index}`),
      slug: `s${seed}-job-${index}`,
      salary: `${40 + seed + index} kg of gold`,
      paid: index === 3,
    })),
    entries: numbers(2).map((index) => ({
      id: uuidOf(`s${seed}/entry/${index}`),
      slug: `s${seed}-entry-${index}`,
      date: new Date(mondayMs - (3 + index) * dayMs).toISOString().slice(0, 10),
    })),
    submissions: [uuidOf(`s${seed}/submission`)],
    digest: { mode: seed % 2 === 0 ? "broadcast" : "batch", scheduledTime: new Date(mondayMs).toISOString() },
    overnight: seed % 3 === 0,
  };
}

function readerOf(seed: number, index: number, dice: (what: string) => number): Reader {
  const email = `s${seed}r${index}@example.com`;
  // One at least stays, and is interested.
  const leaves = index > 0 && dice(`${email}/leaves`) < 0.15;
  return {
    email,
    id: uuidOf(email),
    userId: uuidOf(`user/${email}`),
    source: (["footer", "inline", "post_copy"] as const)[index % 3] ?? "footer",
    copies: index === 0 || (!leaves && dice(`${email}/copies`) < 0.5) ? 2 : 0,
    leaves,
  };
}

function orderOf(seed: number, index: number): Ordered {
  const key = `s${seed}-order-${index}`;
  const to = `s${seed}m${index}@example.com`;
  const job = { jobTitle: `Job ${index}`, company: "Example Post" };
  if (index % 2 === 0)
    return {
      path: "/email/transactional",
      headers: { "idempotency-key": key },
      body: { type: "job-posted", email: to, data: { ...job, jobSlug: `job-${index}` } },
      to,
      ledgerKey: `transactional/job-posted/${messageId("email-transactional", key)}`,
    };
  return {
    path: "/email/job-lifecycle",
    headers: { "idempotency-key": key, "x-email-action": "job-submitted" },
    body: { ...job, jobId: `job-${index}`, userEmail: to },
    to,
    ledgerKey: `job-lifecycle/job-submitted/${messageId("email-job-lifecycle", key)}`,
  };
}
