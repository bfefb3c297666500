import { join } from "node:path";
import { parseArgs } from "node:util";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { freshAssembly } from "../assembly/fresh-assembly.ts";
import { type StationProcess, startStationProcess } from "../station-process.ts";
import { callFrom, visitorIp } from "./caller.ts";
import { prepareDirectory } from "./directory.ts";
import { type FlowResult, measureFlow, queueEffect } from "./meter.ts";
import { countDuplicates, countServed, readOutbox, unsubscribeLinkOf } from "./outbox.ts";

const people = 120;
/** People who press the button twice, and people who leave again after the welcome. */
const impatient = 5;
const leaving = 2;
/** Readers whose copying on the site lifts them over the threshold of the high-engagement segment. */
const readers = 30;
const sequenceDays = 15;

const emailOf = (index: number) => `reader-${String(index + 1).padStart(3, "0")}@example.com`;
const everyone = Array.from({ length: people }, (_, index) => emailOf(index));
/** Known for complaining: gets no mail whatever is asked for. */
const blocked = emailOf(people - 1);

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const root = join(import.meta.dirname, "../..");
const say = (text: string) => console.log(text);
/** Shows that something is happening: in place on a terminal, a line now and then elsewhere. */
let saidMs = performance.now();
const progress = (text: string) => {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K   ${text}`);
  else if (performance.now() - saidMs > 5000) {
    saidMs = performance.now();
    say(`   ... ${text}`);
  }
};
const endProgress = () => {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[2K");
};

async function main(): Promise<boolean> {
  const startedMs = performance.now();
  say("Flux Station demo: the whole station on this machine, driven over HTTP.");
  await freshAssembly(root, () => say("Synthesizing the stack (its sources changed)..."));
  const station = await startStationProcess(process.env.STATION_RECORD ? { recordTo: process.env.STATION_RECORD } : {});
  const stop = async () => {
    await station.stop();
    process.exit(130);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    const database = createClient(station.endpoints.supabase, station.credentials.serviceRoleKey);
    const directory = await prepareDirectory(database);
    say(`The station is up at ${station.api}; the directory has ${directory.entries} entries (${directory.source}).`);
    await settleDirectory(station);

    const subscribe = await subscribeEveryone(station, database);
    await leaveAgain(station);
    const digest = await sendDigest(station, database, directory.digestDue);
    const segmentSync = await moveReaders(station, database);
    const sequence = await playSequence(station, database);
    const flows = { subscribe, digest, sequence, segmentSync };
    return await conclude(station, flows, (performance.now() - startedMs) / 1000);
  } finally {
    await station.stop();
  }
}

/** New entries are embedded, revalidated and packaged first, so that no flow's figures include it. */
async function settleDirectory(station: StationProcess): Promise<void> {
  await station.fire("outbox-sweep");
  for (;;) {
    const left = Object.values((await station.report()).pending).reduce((sum, amount) => sum + amount, 0);
    if (left === 0) break;
    progress(`${left} things to do for the new entries`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await station.quiet(120_000);
  endProgress();
  say("Its new entries went through the outbox to the embeddings, the site's cache and the package builder.\n");
}

async function subscribeEveryone(station: StationProcess, database: SupabaseClient): Promise<FlowResult> {
  check(await database.from("email_blocklist").insert({ email: blocked, reason: "spam_complaint" }));
  const sources = ["modal", "inline", "post_copy", "footer"];
  const categories = ["agents", "mcp", "hooks", "guides", null];
  const subscribe = async (email: string, index: number) => {
    const body = {
      email,
      source: sources[index % sources.length],
      copy_category: categories[index % categories.length],
      copy_type: index % 3 === 0 ? "code" : null,
    };
    const { status, body: text } = await callFrom(visitorIp(index), {
      method: "POST",
      url: `${station.api}/email/subscribe`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status, text };
  };
  say(`1. ${people} people subscribe, ${impatient} of them twice; three more make mistakes.`);
  const result = await measureFlow(
    station,
    async () => {
      const answers = await Promise.all(everyone.map(subscribe));
      const repeated = await Promise.all(everyone.slice(0, impatient).map(subscribe));
      expectStatus([...answers, ...repeated], 202);
      expectStatus(
        await Promise.all(["no-at-sign", "a@nodot", ""].map((email, index) => subscribe(email, people + index))),
        400,
      );
      await watch(station, "subscription", people + impatient);
    },
    queueEffect("subscription"),
  );
  report(result);
  return result;
}

async function leaveAgain(station: StationProcess): Promise<void> {
  say(`\n2. ${leaving} of them unsubscribe by the link in their welcome mail, one click each.`);
  for (const [index, email] of everyone.slice(10, 10 + leaving).entries()) {
    const answer = await callFrom(visitorIp(people + 10 + index), {
      method: "POST",
      url: await unsubscribeLinkOf(vendor(station, "resend"), email),
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "List-Unsubscribe=One-Click",
    });
    expectStatus([{ status: answer.status, text: answer.body }], 202);
  }
  await station.quiet();
}

/** Whom the digest and the sequence must reach. */
const staying = everyone.filter((email, index) => email !== blocked && !(index >= 10 && index < 10 + leaving));

async function sendDigest(station: StationProcess, database: SupabaseClient, due: string): Promise<FlowResult> {
  say(`\n3. The weekly digest that was due on ${due.slice(0, 10)} is sent; a second start finds that it was.`);
  const start = () =>
    callFrom("127.20.0.1", {
      method: "POST",
      url: `${station.api}/email/digest`,
      headers: { "content-type": "application/json", "x-internal-secret": station.credentials.internalSecret },
      body: JSON.stringify({ scheduled_time: due }),
    });
  const result = await measureFlow(
    station,
    async () => {
      await start();
      await station.quiet();
      await start();
    },
    async () => {
      const { count } = check(
        await database.from("newsletter_subscriptions").select("*", { count: "exact", head: true }),
      );
      const received = count ?? 0;
      const done = countServed(
        await readOutbox(vendor(station, "resend")),
        everyone,
        1,
        ({ kind }) => kind === "broadcast",
      );
      return { received, done, suppressed: received - staying.length };
    },
  );
  report(result);
  return result;
}

async function moveReaders(station: StationProcess, database: SupabaseClient): Promise<FlowResult> {
  say(`\n4. ${readers} readers copy from the site until their engagement segment changes.`);
  const users = staying.slice(0, readers).map((email, index) => ({ id: uuidOf(index), email }));
  check(await database.from("users").insert(users));
  const events = users.flatMap(({ id }) =>
    Array.from({ length: 4 }, (_, copy) => ({
      event_id: `${id}/${copy}`,
      user_id: id,
      content_type: "agents",
      content_slug: "code-reviewer",
      interaction_type: "copy",
    })),
  );
  const result = await measureFlow(
    station,
    async () => {
      const { status, body } = await callFrom("127.20.0.2", {
        method: "POST",
        url: `${station.api}/pulse`,
        headers: { "content-type": "application/json", "x-internal-secret": station.credentials.internalSecret },
        body: JSON.stringify(events),
      });
      expectStatus([{ status, text: body }], 202);
    },
    queueEffect("segment-sync"),
  );
  report(result);
  return result;
}

async function playSequence(station: StationProcess, database: SupabaseClient): Promise<FlowResult> {
  say(`\n5. ${sequenceDays} days pass: the onboarding sequence runs by its schedule.`);
  const outcomes = z.array(z.object({ outcome: z.string().nullable() }));
  const result = await measureFlow(
    station,
    async () => {
      for (let day = 1; day <= sequenceDays; day += 1) {
        await station.advance(86_400_000);
        progress(`day ${day} of ${sequenceDays}`);
      }
      endProgress();
    },
    async () => {
      const { data } = check(await database.from("email_sequence_schedule").select("outcome").eq("processed", true));
      const rows = outcomes.parse(data);
      const done = rows.filter(({ outcome }) => outcome === "sent").length;
      return { received: rows.length, done, suppressed: rows.length - done };
    },
  );
  report(result);
  return result;
}

async function conclude(station: StationProcess, flows: Record<string, FlowResult>, seconds: number): Promise<boolean> {
  const mails = await readOutbox(vendor(station, "resend"));
  const welcomed = everyone.filter((email) => email !== blocked);
  const served = {
    welcome: countServed(mails, welcomed, 1, ({ kind }) => kind === "email"),
    digest: countServed(mails, staying, 1, ({ kind }) => kind === "broadcast"),
    sequence: countServed(mails, staying, 4, ({ kind }) => kind === "batch"),
  };
  const duplicates = countDuplicates(mails);
  const lost = welcomed.length - served.welcome + (staying.length - served.digest) + (staying.length - served.sequence);
  const unwanted = mails.filter(({ to }) => to.includes(blocked)).length;
  const { pending, troubles } = await station.report();
  const deadLettered = Object.values(flows).reduce((sum, flow) => sum + flow.deadLettered, 0);
  const reconciled = Object.values(flows).every(
    (flow) => flow.received === flow.done + flow.suppressed + flow.deadLettered,
  );
  const ok = duplicates + lost + unwanted + deadLettered === 0 && reconciled && Object.keys(pending).length === 0;

  say(`\nWhat Resend's outbox holds: ${mails.length} mails.`);
  say(
    `  ${served.welcome} of ${welcomed.length} have one welcome, ${served.digest} of ${staying.length} one digest, ${served.sequence} of ${staying.length} four sequence mails.`,
  );
  say(`  ${duplicates} duplicates, ${lost} lost, ${unwanted} to people who must get none.`);
  const warned = Object.entries(troubles).map(([code, times]) => `${times} × ${code}`);
  if (warned.length > 0) say(`  Warnings on the way: ${warned.join(", ")}.`);
  say(`${ok ? "All as it should be" : "NOT as it should be"}, in ${seconds.toFixed(1)} s.`);
  if (values.json)
    say(
      JSON.stringify({
        ok,
        flows,
        duplicates,
        lost,
        unwanted,
        mails: mails.length,
        served,
        troubles,
        seconds: Math.round(seconds * 10) / 10,
      }),
    );
  return ok;
}

function report(result: FlowResult): void {
  const { received, done, suppressed, deferred, deadLettered, vendorCalls, awsOperations, seconds } = result;
  say(
    `   received ${received} · done ${done} · suppressed ${suppressed} · deferred ${deferred} · dead-lettered ${deadLettered}`,
  );
  say(`   ${vendorCalls} vendor calls, ${awsOperations} AWS operations, ${seconds} s`);
}

/** Shows how far a queue is until all its messages have come to an end. */
async function watch(station: StationProcess, queue: string, total: number): Promise<void> {
  for (;;) {
    const { queues, pending } = await station.report();
    const tally = queues[queue];
    const ended = tally ? tally.done + tally.suppressed + tally.parked + tally.invalid : 0;
    progress(`${ended} of ${total} messages on ${queue}`);
    if (ended >= total || Object.keys(pending).length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  endProgress();
}

function expectStatus(answers: { status: number; text: string }[], wanted: number): void {
  const other = answers.find(({ status }) => status !== wanted);
  if (other) throw new Error(`The station answered ${other.status} where ${wanted} was due: ${other.text}`);
}

function check<R extends { error: { message: string } | null }>(result: R): R {
  if (result.error) throw new Error(`The database refused: ${result.error.message}`);
  return result;
}

function vendor({ vendors }: StationProcess, name: string): string {
  const url = vendors[name];
  if (!url) throw new Error(`The station has no stand-in for ${name}.`);
  return url;
}

const uuidOf = (index: number): string => `33333333-0000-4000-8000-${String(index).padStart(12, "0")}`;

process.exitCode = (await main()) ? 0 : 1;
