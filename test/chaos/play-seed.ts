import { unsubscribeLink } from "../../lambdas/core/unsubscribe-link.ts";
import { chance } from "../../local/chaos/hash.ts";
import { signingFor } from "../flows/signing.ts";
import { startRun, untilRunEnded } from "../flows/workflow-runs.ts";
import { type Callers, createCallers } from "./callers.ts";
import type { ChaosStation } from "./chaos-station.ts";
import { type FoundLetter, redriveOnce } from "./dead-letters.ts";
import { createResendWebhooks, type ResendWebhooks } from "./resend-webhooks.ts";
import { type SeedPlan, seedPlan } from "./seed-plan.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Longer than any lease: a dead run is succeeded by the next after this. */
const leaseMs = 21 * 60_000;
/** Strides of time in which everything must have come to its end, faults being off. */
const calmRounds = 60;

/** What a seed was played with, for the laws to be held against. */
export interface PlayedSeed {
  plan: SeedPlan;
  startedMs: number;
  callers: Callers;
  webhooks: ResendWebhooks;
  /** Addresses of those who used the link in their welcome. */
  leavers: ReadonlySet<string>;
  repeated: number;
  coldStarts: number;
  redriven: number;
  /** Dead letters that could never succeed. */
  deadForGood: FoundLetter[];
  /** What never came to an end although nothing failed any more. */
  left: Record<string, number>;
  /** Ends of the runs that were to finish the digest. */
  digestEnd: string;
}

/** Puts a seed's load into the station while it fails by the seed's plan, then lets it recover. */
export async function playSeed(station: ChaosStation, seed: number, mutant = 0): Promise<PlayedSeed> {
  const plan = seedPlan(seed);
  const callers = createCallers(station);
  const webhooks = createResendWebhooks(station, callers, seed);
  await prepare(station, plan);
  const startedMs = await station.begin(seed, mutant);
  const telling = webhooks.start();
  const parts = { station, plan, callers, webhooks, startedMs, leavers: new Set<string>() };

  await Promise.all([subscribeAll(parts), orderMails(parts), changeDirectory(parts)]);
  await station.settle(0);
  await Promise.all([interact(parts), leave(parts), changeJobs(parts), payForJobs(parts), runWorkflows(parts)]);
  // Some come back from their visibility timeouts while things still fail.
  await station.settle(2);
  // Runs that died are succeeded, while things still fail.
  await station.skip(leaseMs);
  await Promise.all([startDigest(parts), startSequence(parts, 5 * dayMs + hourMs)]);
  await station.settle(1);
  await telling.stop();

  await station.calm();
  if (plan.overnight) await station.skip(25 * hourMs);
  await station.skip(leaseMs);
  await callers.insist();
  await station.settle(calmRounds);
  await webhooks.tellRest();
  await leave(parts);
  const { redriven, kept } = await redriveOnce(station);
  await station.settle(calmRounds);
  const digestEnd = await finishDigest(parts);
  await finishSequence(parts);
  await webhooks.tellRest();
  await callers.insist();
  const left = await station.settle(calmRounds);
  const { repeated, coldStarts } = await station.events(0);
  return {
    plan,
    startedMs,
    callers,
    webhooks,
    leavers: parts.leavers,
    repeated,
    coldStarts,
    redriven,
    deadForGood: kept,
    left,
    digestEnd,
  };
}

interface Parts {
  station: ChaosStation;
  plan: SeedPlan;
  callers: Callers;
  webhooks: ResendWebhooks;
  startedMs: number;
  leavers: Set<string>;
}

async function prepare(station: ChaosStation, { readers }: SeedPlan): Promise<void> {
  // High enough that a seed is over in seconds; the pacer learns it from the answers.
  await station.faults({ limit: 40 });
  await station.faults({ limit: 40 }, "discord");
  for (const { userId, email } of readers)
    await station.sql("insert into users (id, email) values ($1, $2)", [userId, email]);
}

const correlated = (id: string) => ({ "x-correlation-id": id.replaceAll(/[^\w.-]/g, "-") });

async function subscribeAll({ callers, plan }: Parts): Promise<void> {
  await Promise.all(
    plan.readers.map(async ({ email, source }, index) => {
      const request = (key: string) => ({
        body: { email, source },
        headers: { "idempotency-key": key, ...correlated(email) },
      });
      await callers.offer("/email/subscribe", request(email));
      const again = chance(`again/${email}`);
      // A caller that did not hear the answer, and a person who signs up a second time.
      if (again < 0.3) await callers.offer("/email/subscribe", request(email));
      else if (again < 0.5) await callers.offer("/email/subscribe", request(`${email}/${index}`));
    }),
  );
}

async function orderMails({ callers, plan: { ordered } }: Parts): Promise<void> {
  await Promise.all(
    ordered.map(async ({ path, headers, body, to }) => {
      const request = { body, headers: { ...headers, ...correlated(to) } };
      const twice = chance(`twice/${to}`) < 0.3;
      await Promise.all([callers.offer(path, request), ...(twice ? [callers.offer(path, request)] : [])]);
    }),
  );
}

async function changeDirectory({ station, callers, plan: { seed, jobs, entries, submissions } }: Parts): Promise<void> {
  for (const { id, slug, date } of entries)
    await station.sql(
      `insert into content (id, category, slug, title, description, author, date_added)
       values ($1, 'guides', $2, $2, 'About it', 'Ada Example', $3)`,
      [id, slug, date],
    );
  for (const { id, slug, paid } of jobs)
    await station.sql(
      `insert into jobs (id, slug, title, company, description, category, link, status, salary)
       values ($1, $2, $2, 'Example Post', 'What there is to do', 'engineering', 'https://example.com', $3, 'unknown')`,
      [id, slug, paid ? "pending_payment" : "active"],
    );
  for (const id of submissions)
    await station.sql(
      `insert into content_submissions (id, name, description, category, submission_type, author)
       values ($1, $2, 'What it is', 'mcp', 'mcp', 'Ada Example')`,
      [id, `s${seed}-submission`],
    );
  await poke({ station, callers });
  // Changed while the first message is on its way.
  for (const { id } of jobs) await station.sql("update jobs set salary = 'soon to be told' where id = $1", [id]);
  await poke({ station, callers });
}

/** What the messages on Discord must follow. */
async function changeJobs({ station, callers, plan: { jobs } }: Parts): Promise<void> {
  for (const { id, salary } of jobs) await station.sql("update jobs set salary = $2 where id = $1", [id, salary]);
  await poke({ station, callers });
}

/** What the database does when a row was written to its outbox. */
async function poke({ station, callers }: Pick<Parts, "station" | "callers">): Promise<void> {
  const sign = signingFor(station);
  const body = "{}";
  await callers.offer("/embedding/webhook", async () => {
    const { now } = await station.events(1_000_000);
    const headers = { "content-type": "application/json", ...sign.database({ body, atMs: now }) };
    return { method: "POST", body, headers };
  });
}

export const interactionsOf = ({ seed, readers }: SeedPlan) =>
  readers.flatMap(({ email, userId, copies }) =>
    Array.from({ length: copies }, (_, index) => ({
      event_id: `s${seed}/${email}/${index}`,
      user_id: userId,
      interaction_type: "copy",
      content_type: "guides",
      content_slug: `s${seed}-entry-0`,
    })),
  );

async function interact({ callers, plan }: Parts): Promise<void> {
  const interactions = interactionsOf(plan);
  const key = `s${plan.seed}-pulse`;
  const headers = { "idempotency-key": key, ...correlated(key) };
  await callers.offer("/pulse", { body: interactions, headers });
  // Some are told of twice, and one is nothing that the database knows.
  const repeated = interactions.filter(({ event_id }) => chance(`again/${event_id}`) < 0.4);
  const broken = {
    event_id: `s${plan.seed}/broken`,
    interaction_type: "teleport",
    content_type: null,
    content_slug: null,
  };
  await callers.offer("/pulse", {
    body: [...repeated, broken],
    headers: { "idempotency-key": `${key}/again`, ...correlated(`${key}/again`) },
  });
}

/** Those leave who have a mail by now, and so a link. */
async function leave({ station, callers, webhooks, leavers, plan: { readers } }: Parts): Promise<void> {
  const { unsubscribeKey = "" } = await station.changeSecret({});
  const welcomed = new Set(webhooks.events().flatMap((event) => (event.kind === "accepted" ? event.key : [])));
  for (const { id, email, leaves } of readers) {
    if (!leaves || leavers.has(email) || !welcomed.has(`welcome/${id}`)) continue;
    leavers.add(email);
    const link = unsubscribeLink("", id, unsubscribeKey);
    const headers = { "content-type": "application/x-www-form-urlencoded", ...correlated(`${email}/leaves`) };
    await callers.offer(link, { method: "POST", body: "List-Unsubscribe=One-Click", headers });
  }
}

async function payForJobs({ station, callers, plan: { seed, jobs } }: Parts): Promise<void> {
  const sign = signingFor(station);
  for (const { id } of jobs.filter(({ paid }) => paid)) {
    const eventId = `s${seed}-paid`;
    const request = async () => {
      const { now } = await station.events(1_000_000);
      const body = JSON.stringify({
        type: "order.paid",
        timestamp: new Date(now).toISOString(),
        data: { id: `order-${seed}`, metadata: { job_id: id }, total_amount: 9900, currency: "usd" },
      });
      const headers = { "content-type": "application/json", ...correlated(eventId) };
      return { method: "POST", body, headers: { ...headers, ...sign.polar({ body, id: eventId, atMs: now }) } };
    };
    await Promise.all([callers.offer("/polar-events", request), callers.offer("/polar-events", request)]);
  }
}

const iso = (ms: number) => new Date(ms).toISOString();

const startDigest = ({ callers, plan: { digest } }: Parts) =>
  callers.offer("/email/digest", { body: { scheduled_time: digest.scheduledTime, mode: digest.mode } });

const startSequence = ({ callers, startedMs }: Parts, afterMs: number) =>
  callers.offer("/email/sequence", { body: { scheduled_time: iso(startedMs + afterMs) } });

async function runWorkflows(parts: Parts): Promise<void> {
  await Promise.all([startDigest(parts), startSequence(parts, 2 * dayMs + hourMs)]);
  // A second start while the first is under way.
  await startDigest(parts);
}

/** Starts the digest, as an operator would, until a run says that the week is sent. */
async function finishDigest({ station, plan: { digest } }: Parts): Promise<string> {
  let end = "";
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const name = await startRun(station, "digest", { scheduled_time: digest.scheduledTime, mode: digest.mode });
    await station.settle(calmRounds);
    ({ end } = await untilRunEnded(station, "digest", name));
    if (end === "Digest Done" || end === "Already Sent") return end;
    await station.skip(leaseMs);
  }
  return end;
}

/** Runs the sequence at the times at which its schedule would, past both steps and the leases of runs that died. */
async function finishSequence({ station, startedMs }: Parts): Promise<void> {
  for (const afterMs of [2 * dayMs + 2 * hourMs, 5 * dayMs + 2 * hourMs, 5 * dayMs + 3 * hourMs]) {
    const name = await startRun(station, "sequence", { scheduled_time: iso(startedMs + afterMs) });
    await station.settle(calmRounds);
    await untilRunEnded(station, "sequence", name);
  }
}
