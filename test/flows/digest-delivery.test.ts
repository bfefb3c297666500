import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { Resend } from "resend";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { synthesize } from "../../infra/synthesize.ts";
import { resolveStation } from "../../lambdas/core/station.ts";
import { config } from "../../station.config.ts";
import { send } from "./http.ts";
import { type FlowStation, type OutboxMail, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { type EndedRun, fireSchedule, run, startRun, untilRunEnded } from "./workflow-runs.ts";

let folder: string;
// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;

/** Readers who stay active; the others are described where they are made. */
const active = ["ada", "bea", "cyd"].map((name) => `${name}@example.com`);
const left = "dan@example.com";
const blocked = "eve@example.com";
const optedOut = "fay@example.com";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flux-assembly-"));
  const assemblyDir = join(folder, "cdk.out");
  // A zone in which Monday morning is still Sunday in UTC.
  const kiwi = { ...config, digest: { ...config.digest, timeZone: "Pacific/Auckland" } };
  await synthesize(resolveStation(kiwi), { outdir: assemblyDir, bundleDir: join(folder, "functions") });
  station = await startFlowStation({ assemblyDir });

  await station.sql("insert into email_blocklist (email, reason) values ($1, 'hard_bounce')", [blocked]);
  for (const email of [...active, left, blocked, optedOut]) await station.subscribe(email);
  await station.quiet();
  const [welcome] = await station.outbox(left);
  const answer = await send(unsubscribeLink(welcome), {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "List-Unsubscribe=One-Click",
  });
  expect(answer.status).toBeLessThan(300);
  await station.quiet();
  await optOutOfDigest(optedOut);
}, START_TIMEOUT_MS);

afterAll(async () => {
  await station?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Resend's own client, for what people and earlier attempts did there. */
async function resendClient(): Promise<Resend> {
  const secrets = new SecretsManagerClient({
    endpoint: station.endpoints.secretsmanager,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const { SecretString = "{}" } = await secrets.send(new GetSecretValueCommand({ SecretId: "prod-flux-station" }));
  secrets.destroy();
  const { resendApiKey } = JSON.parse(SecretString) as { resendApiKey: string };
  return new Resend(resendApiKey, { baseUrl: station.vendors.resend ?? "" });
}

/** Somebody turns the digest off at Resend, where a broadcast looks. */
async function optOutOfDigest(email: string): Promise<void> {
  const topic = config.resend.topics["weekly-digest"];
  const { error } = await (await resendClient()).contacts.topics.update({
    email,
    topics: [{ id: topic, subscription: "opt_out" }],
  });
  expect(error).toBeNull();
}

const unsubscribeLink = (mail: OutboxMail | undefined): string =>
  mail?.headers["List-Unsubscribe"]?.replace(/^<|>$/g, "") ?? "";

/** The digests of a week among all mails, by the dates in them. */
const digestsOf = async (dates: string): Promise<OutboxMail[]> =>
  (await station.outbox()).filter(({ html, subject }) => `${subject}${html}`.includes(dates));

const recipientsOf = (mails: OutboxMail[]): string[] => mails.flatMap(({ to }) => to).sort();
const recordedRun = async (week: string) =>
  (await station.sql("select mode, status, recipients, sent, failed from digest_runs where week = $1", [week]))[0];
const beats = async () =>
  (await send(`${station.vendors.heartbeat}/_state`)).json<{ beats: { failed: boolean }[] }>().beats;

describe("The weekly schedule", () => {
  test("sends the digest of its own time's week in the config's zone, as one broadcast to everyone who wants it", async () => {
    const ended = await fireSchedule(station, "digest", "weekly-digest", "2026-11-15T20:00:00Z");
    expect(ended.end).toBe("Digest Done");
    expect(ended.output.claim).toMatchObject({ week: "2026-W47", contentFrom: "2026-11-09", mode: "broadcast" });

    const mails = await digestsOf("November 9 - 15, 2026");
    expect(recipientsOf(mails)).toEqual(active);
    expect(mails.map(({ kind }) => kind)).toEqual(active.map(() => "broadcast"));
    expect(new Set(mails.map(unsubscribeLink)).size).toBe(active.length);
    for (const mail of mails) {
      expect(mail.html).not.toContain("RESEND_UNSUBSCRIBE_URL");
      expect(mail.html).toContain(unsubscribeLink(mail));
      expect(mail.html).toContain("Plain English Docs");
    }
    expect(await recordedRun("2026-W47")).toMatchObject({ mode: "broadcast", status: "sent", failed: 0 });
    expect((await beats()).map(({ failed }) => failed)).toEqual([false]);
  });
});

describe("A digest in batches", () => {
  const wish = { scheduled_time: "2026-11-08T20:00:00Z", mode: "batch" as const };

  test("goes once to every active subscriber with an unsubscribe link of their own", async () => {
    await station.sql("insert into email_blocklist (email, reason) values ($1, 'spam_complaint')", [active[2]]);
    const ended = await run(station, "digest", wish);
    expect(ended.end).toBe("Digest Done");

    const mails = await digestsOf("November 2 - 8, 2026");
    const served = [...active.slice(0, 2), optedOut];
    expect(recipientsOf(mails)).toEqual(served);
    for (const mail of mails) {
      expect(mail.kind).toBe("batch");
      const [welcome] = await station.outbox(mail.to[0]);
      expect(unsubscribeLink(mail)).toBe(unsubscribeLink(welcome));
      expect(unsubscribeLink(mail)).toContain("/email/unsubscribe");
      expect(mail.headers["List-Unsubscribe-Post"]).toBe("List-Unsubscribe=One-Click");
      expect(mail.html).toContain(mail.to[0]);
    }
    expect(await recordedRun("2026-W46")).toEqual({ mode: "batch", status: "sent", recipients: 3, sent: 3, failed: 0 });
  });

  test("that was sent is not sent again: the run says so without asking anybody", async () => {
    const mails = (await station.outbox()).length;
    const lastSeq = (await station.calls()).at(-1)?.seq ?? 0;
    const ended = await run(station, "digest", wish);
    expect(ended.end).toBe("Already Sent");
    expect(await station.calls("resend", lastSeq)).toEqual([]);
    expect(await station.outbox()).toHaveLength(mails);
  });
});

test("of five runs started at the same moment one sends, and the others join it", async () => {
  // Nobody can finish before the others have looked.
  await station.faults({ hang: true });
  const wish = { scheduled_time: "2026-11-01T20:00:00Z", mode: "batch" as const };
  const names = await Promise.all(Array.from({ length: 5 }, () => startRun(station, "digest", wish)));
  const ended: EndedRun[] = [];
  const allEnded = Promise.all(names.map(async (name) => ended.push(await untilRunEnded(station, "digest", name))));
  while (ended.length < 4) await sleep(50);
  await station.faults({});
  await allEnded;
  const joining = ["Is This A Rehearsal", "Claim Week", "What Was Claimed", "Joined"];
  expect(ended.slice(0, 4).map(({ states }) => states)).toEqual([joining, joining, joining, joining]);
  expect(ended[4]?.end).toBe("Digest Done");
  const recipients = recipientsOf(await digestsOf("October 26 - November 1, 2026"));
  expect(recipients).toEqual(expect.arrayContaining(active.slice(0, 2)));
  expect(new Set(recipients).size).toBe(recipients.length);
});

test("every call of a run that a request started carries the request's correlation id", async () => {
  const after = (await station.calls()).at(-1)?.seq ?? 0;
  const answer = await station.callInternal("/email/digest", {
    body: { scheduled_time: "2026-10-11T20:00:00Z", mode: "broadcast" },
    headers: { "x-correlation-id": "the-editor-1" },
  });
  const ended = await untilRunEnded(station, "digest", answer.json<{ id: string }>().id);
  expect(ended.end).toBe("Digest Done");
  const calls = await station.calls("resend", after);
  expect(calls.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f-]{36}/, "{id}")}`)).toEqual(
    expect.arrayContaining(["POST /broadcasts", "POST /broadcasts/{id}/send"]),
  );
  const beat = (await station.calls("heartbeat")).at(-1);
  expect(new Set([...calls, beat].map((call) => call?.correlationId))).toEqual(new Set(["the-editor-1"]));
});

test.each([
  ["created", false, "2026-10-25T20:00:00Z", "prod weekly-digest 2026-W44"],
  ["created and sent", true, "2026-10-18T20:00:00Z", "prod weekly-digest 2026-W43"],
])(
  "a broadcast that an earlier attempt %s without hearing of it is found again, and sent once",
  async (_, sent, due, name) => {
    const resend = await resendClient();
    const { data } = await resend.broadcasts.create({
      name,
      from: config.senders.hello,
      subject: name,
      html: "<p>As an earlier attempt made it</p>",
      segmentId: config.resend.segments.newsletter,
      topicId: config.resend.topics["weekly-digest"],
    });
    if (sent) await resend.broadcasts.send(data?.id ?? "");
    const ended = await run(station, "digest", { scheduled_time: due, mode: "broadcast" });
    expect(ended.end).toBe("Digest Done");
    const { broadcasts } = (await send(`${station.vendors.resend}/_state?only=broadcasts`)).json<{
      broadcasts: { name: string; status: string }[];
    }>();
    expect(broadcasts.filter((each) => each.name === name)).toMatchObject([{ status: "sent" }]);
    expect(recipientsOf((await station.outbox()).filter(({ subject }) => subject === name))).toEqual(active);
  },
);
