import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Payload } from "../../lambdas/core/messages.ts";
import { type QueueName, queues } from "../../registry/queues.ts";
import { breakFunction } from "./broken-function.ts";
import { burying, jobMail } from "./dead-letter.ts";
import { fluxFor, runFlux } from "./flux.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

let station: FlowStation;
let flux: ReturnType<typeof fluxFor>["flux"];
let fluxJson: ReturnType<typeof fluxFor>["fluxJson"];
let attempt: ReturnType<typeof fluxFor>["attempt"];
beforeAll(async () => {
  station = await startFlowStation();
  ({ flux, fluxJson, attempt } = fluxFor(station));
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
afterEach(async () => {
  for (const queue of Object.keys(queues) as QueueName[]) await station.purge(queue);
  await station.faults({});
  await station.faults({}, "discord");
});

interface Group {
  queue: string;
  count: number;
  errorName: string;
  fingerprint: string;
  reason: string;
  attempts: { fewest: number; most: number };
  exampleId: string;
}
const groups = async (...args: string[]) => (await fluxJson<{ groups: Group[] }>("dlq", "list", ...args)).groups;
const { envelope, bury } = burying(() => station);

describe("flux dlq list and show", () => {
  test("dead letters are grouped by cause, with reason, attempts and times; looking changes nothing", async () => {
    await station.sql("alter function public.record_contact_sync rename to record_contact_sync_away");
    await station.subscribe("first@example.com");
    await station.subscribe("second@example.com");
    await station.advance(hourMs);
    await station.sql("alter function public.record_contact_sync_away rename to record_contact_sync");
    await station.enqueue("subscription", "no JSON at all");
    await station.quiet();
    await bury("pulse", await envelope("pulse", { content_type: null, content_slug: null, interaction_type: "view" }));
    const before = await Promise.all([station.deadLetters("subscription"), station.deadLetters("pulse")]);

    const found = await groups();
    expect(found.map(({ queue, count, errorName, attempts }) => [queue, count, errorName, attempts])).toEqual([
      ["pulse", 1, "FunctionDied", { fewest: 5, most: 5 }],
      ["subscription", 2, "ProviderMisconfigured", { fewest: 5, most: 5 }],
      ["subscription", 1, "InvalidInput", { fewest: 1, most: 1 }],
    ]);
    expect(found[1]?.reason).toContain("record_contact_sync");
    expect(await groups("--where", `fingerprint=${found[1]?.fingerprint}`)).toEqual([found[1]]);
    expect(await groups("--queue", "email")).toEqual([]);
    expect(await groups()).toEqual(found);
    const text = await flux("dlq", "list");
    expect(text).toContain("subscription: 3\n  2 × ProviderMisconfigured");
    expect(await Promise.all([station.deadLetters("subscription"), station.deadLetters("pulse")])).toEqual(before);
  });

  test("one dead letter shows its end, its stack and its ledger state, without addresses unless asked", async () => {
    await station.sql("alter function public.record_contact_sync rename to record_contact_sync_away");
    await station.subscribe("shown@example.com", { referrer: "/from" });
    await station.advance(hourMs);
    await station.sql("alter function public.record_contact_sync_away rename to record_contact_sync");
    const [group] = await groups();
    const id = group?.exampleId ?? "";

    const text = await flux("dlq", "show", id);
    expect(text).toContain("s***@example.com");
    expect(text).not.toContain("shown@example.com");
    const facts = await fluxJson<Record<string, unknown>>("dlq", "show", id.slice(0, 8), "--raw");
    expect(facts).toMatchObject({
      queue: "subscription",
      id,
      attempts: 5,
      error: { name: "ProviderMisconfigured", stack: expect.stringContaining("at ") },
      ledger: { verdict: "would-send", key: expect.stringMatching(/^welcome\//) },
      message: { id, correlationId: facts.correlationId, payload: { email: "shown@example.com", referrer: "/from" } },
    });
  });

  test("a queue with more dead letters than were looked at says so", async () => {
    for (let index = 0; index < 3; index += 1) await bury("email", await envelope("email", jobMail(`many/${index}`)));
    expect(await fluxJson("dlq", "list", "--queue", "email", "--limit", "2")).toMatchObject({
      groups: [{ count: 2 }],
      unseen: { email: 1 },
    });
    expect(await flux("dlq", "list", "--queue", "email", "--limit", "2")).toContain("about 1 more of email");
  });
});

describe("flux dlq diff", () => {
  test("says what today's contract has against a message, and when it fits", async () => {
    const good = await envelope("subscription", { kind: "subscribe", email: "fits@example.com" });
    const { email: _, ...withoutEmail } = good.payload as Extract<Payload<"subscription">, { kind: "subscribe" }>;
    const bad = { ...good, id: "renamed-field", payload: { ...withoutEmail, mail: "fits@example.com" } };
    await bury("subscription", good);
    await bury("subscription", bad);
    const found = await fluxJson<Record<string, unknown>[]>("dlq", "diff", "--queue", "subscription");
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({ queue: "subscription", id: good.id, fits: true, violations: [], unknown: [] });
    expect(found).toContainEqual({
      queue: "subscription",
      id: "renamed-field",
      fits: false,
      violations: [{ path: "payload.email", expected: "string", found: "nothing" }],
      unknown: ["payload.mail"],
    });
    expect(await flux("dlq", "diff", good.id)).toContain("fits today's contract");
  });
});

describe("flux dlq redrive", () => {
  test("sends back what was chosen once its cause is mended, leaves the rest, and keeps a record", async () => {
    const mend = await breakFunction(station, "get_blocked_emails");
    const dead = await envelope("email", jobMail("redrive/mended", "mended@example.com"));
    await station.enqueue("email", dead);
    await station.quiet();
    await bury("email", "left alone");
    await mend();

    const [group] = await groups("--where", "error=PermanentFailure");
    const chosen = ["--queue", "email", "--where", `fingerprint=${group?.fingerprint}`];
    expect(await fluxJson("dlq", "redrive", ...chosen, "--dry-run")).toMatchObject({
      verdicts: { "would-send": 1 },
      items: [{ id: dead.id, key: "redrive/mended" }],
    });
    expect(await station.outbox("mended@example.com")).toEqual([]);

    expect(await fluxJson("dlq", "redrive", ...chosen)).toMatchObject({ matched: 1, redriven: 1, failed: 0 });
    await station.quiet();
    expect(await station.outbox("mended@example.com")).toHaveLength(1);
    expect((await station.deadLetters("email")).map(({ body }) => body)).toEqual(["left alone"]);
    const [latest] = await fluxJson<Record<string, unknown>[]>("dlq", "log");
    expect(latest).toMatchObject({
      verb: "dlq redrive",
      given: { queue: "email", where: [`fingerprint=${group?.fingerprint}`], rate: 10 },
      counts: { matched: 1, redriven: 1, failed: 0 },
      error: null,
      by: expect.stringMatching(/./),
    });
  });

  test("on day 3, after Resend's memory, does not send again what was accepted, however often", async () => {
    const sent = await envelope("email", jobMail("redrive/accepted", "accepted@example.com"));
    await station.enqueue("email", sent);
    await station.quiet();
    expect(await station.outbox("accepted@example.com")).toHaveLength(1);
    // Its acknowledgement was lost again and again, so SQS gave it up.
    await bury("email", sent);
    await station.advance(3 * dayMs);

    expect(await fluxJson("dlq", "redrive", sent.id, "--dry-run")).toMatchObject({
      verdicts: { "would-not-send-again": 1 },
    });
    for (const round of [1, 2]) {
      if (round > 1) await bury("email", sent);
      await flux("dlq", "redrive", sent.id);
      await station.quiet();
      expect(await station.deadLetters("email")).toEqual([]);
    }
    expect(await station.outbox("accepted@example.com")).toHaveLength(1);
  });

  test("on day 3 does not send again what was accepted without anybody noting it: it is parked", async () => {
    const unsure = await envelope("email", jobMail("redrive/unsure", "unsure@example.com"));
    await station.faults({ acceptThenTimeout: 1 });
    await station.enqueue("email", unsure);
    await expect
      .poll(() => station.item("ledger#redrive/unsure", "mail"), { timeout: 20_000 })
      .toMatchObject({ status: "sending" });
    await expect.poll(() => station.outbox("unsure@example.com")).toHaveLength(1);
    // Before the next attempt the database breaks, and the message dies of that.
    const mend = await breakFunction(station, "get_blocked_emails");
    await station.faults({});
    await station.advance(hourMs);
    expect(await station.deadLetters("email")).toHaveLength(1);
    await mend();
    await station.advance(3 * dayMs);

    expect(await fluxJson("dlq", "redrive", unsure.id, "--dry-run")).toMatchObject({ verdicts: { parked: 1 } });
    await flux("dlq", "redrive", unsure.id);
    await station.quiet();
    expect(await station.outbox("unsure@example.com")).toHaveLength(1);
    expect(await station.item("ledger#redrive/unsure", "mail")).toMatchObject({ status: "parked" });
  });

  test("two copies of one message, as a crash in between leaves them, are one", async () => {
    const twice = await envelope("email", jobMail("redrive/twice", "twice@example.com"));
    await bury("email", twice);
    await bury("email", twice);
    expect(await fluxJson("dlq", "redrive", twice.id)).toMatchObject({ redriven: 2 });
    await station.quiet();
    expect(await station.outbox("twice@example.com")).toHaveLength(1);
  });

  test("a message of a FIFO queue goes through although SQS still remembers its id, and is not posted again", async () => {
    const [job] = await station.sql<{ id: string }>(
      `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ('fifo', 'Fifo Keeper', 'Example Post', 'What there is to do', 'engineering', 'https://example.com', 'active', false)
       returning id`,
    );
    const mend = await breakFunction(station, "record_job_announcement");
    await station.fire("outbox-sweep");
    await station.quiet();
    const posts = async () =>
      (await station.vendorState<{ embeds: unknown }>("discord", "messages")).filter(({ embeds }) =>
        JSON.stringify(embeds).includes("Fifo Keeper"),
      );
    expect(await station.deadLetters("discord-jobs")).toHaveLength(1);
    expect(await posts()).toHaveLength(1);
    await mend();

    expect(await fluxJson("dlq", "redrive", "--queue", "discord-jobs", "--dry-run")).toMatchObject({
      verdicts: { "would-not-send-again": 1 },
    });
    await flux("dlq", "redrive", "--queue", "discord-jobs");
    await station.quiet();
    expect(await station.deadLetters("discord-jobs")).toEqual([]);
    expect(await posts()).toHaveLength(1);
    const [row] = await station.sql<{ discord_message_id: string | null }>(
      "select discord_message_id from jobs where id = $1",
      [job?.id],
    );
    expect(row?.discord_message_id).not.toBeNull();
  });

  test("what an earlier contract refused goes through when today's takes it", async () => {
    const message = await envelope("email", jobMail("redrive/contract", "contract@example.com"));
    await bury("email", message, {
      reason: "Message x breaks the contract of email: payload.template: Invalid input",
      errorName: "InvalidInput",
      fingerprint: "0123456789ab",
      attempts: "1",
    });
    expect(await groups()).toMatchObject([{ errorName: "InvalidInput", fingerprint: "0123456789ab" }]);
    expect(await fluxJson("dlq", "diff", "--queue", "email")).toMatchObject([{ fits: true }]);
    await flux("dlq", "redrive", "--where", "fingerprint=0123456789ab");
    await station.quiet();
    expect(await station.outbox("contract@example.com")).toHaveLength(1);
    expect(await station.deadLetters("email")).toEqual([]);
  });

  test("a message older than any may wait is put off like a young one", async () => {
    const old = await envelope("email", jobMail("redrive/old", "old@example.com"), { agoMs: 10 * dayMs });
    await bury("email", old);
    await station.faults({ rate429: 1 });
    await flux("dlq", "redrive", old.id);
    await station.advance(5_000);
    expect(await station.deadLetters("email")).toEqual([]);
    await station.faults({});
    await station.advance(hourMs);
    expect(await station.outbox("old@example.com")).toHaveLength(1);
  });

  test("a redriven message whose function then dies is not given the reason of its former life", async () => {
    await station.sql("alter function public.record_contact_sync rename to record_contact_sync_away");
    await station.subscribe("twice-dead@example.com");
    await station.advance(hourMs);
    await station.sql("alter function public.record_contact_sync_away rename to record_contact_sync");
    const [letter] = await station.deadLetters("subscription");
    await flux("dlq", "redrive", "--queue", "subscription");
    await station.quiet();
    await bury("subscription", letter?.body);
    const [group] = await groups();
    expect(group).toMatchObject({
      errorName: "FunctionDied",
      reason: expect.stringContaining("ProviderMisconfigured"),
    });
  });
});

describe("flux dlq drop", () => {
  test("deletes what was chosen, for a reason, and keeps a record", async () => {
    await bury("email", await envelope("email", jobMail("drop/1")), { errorName: "Old", fingerprint: "aaaaaaaaaaaa" });
    await bury("email", "kept");
    expect(await attempt("dlq", "drop", "--queue", "email", "--reason", "all")).toMatchObject({ code: 2 });
    expect(await attempt("dlq", "drop", "--where", "error=Old")).toMatchObject({
      code: 2,
      error: expect.stringContaining("--reason"),
    });
    expect(await fluxJson("dlq", "drop", "--where", "error=Old", "--reason", "obsolete", "--dry-run")).toMatchObject({
      matched: 1,
    });
    expect(await station.deadLetters("email")).toHaveLength(2);
    expect(await flux("dlq", "drop", "--where", "error=Old", "--reason", "obsolete")).toContain("Deleted 1");
    expect((await station.deadLetters("email")).map(({ body }) => body)).toEqual(["kept"]);
    expect(await fluxJson("dlq", "log", "--limit", "1")).toMatchObject([
      { verb: "dlq drop", given: { where: ["error=Old"], reason: "obsolete" }, counts: { dropped: 1 } },
    ]);
  });
});

describe("flux --stage", () => {
  test("operates a deployed stage by the usual AWS settings, with the same verbs", async () => {
    const { sqs, dynamodb, secretsmanager, supabase } = station.endpoints;
    const aws = {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      AWS_ENDPOINT_URL_SQS: sqs,
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsmanager,
      // Who is at work cannot be asked here.
      AWS_ENDPOINT_URL_STS: "http://127.0.0.1:9",
      SUPABASE_URL: supabase,
    };
    const onAws = (...args: string[]) => runFlux([...args, "--stage", "prod"], aws);
    const sent = await envelope("email", jobMail("aws/1", "aws@example.com"));
    await bury("email", sent);
    const listed = await onAws("dlq", "list", "--json");
    expect(listed, listed.error).toMatchObject({ code: 0 });
    expect(JSON.parse(listed.out)).toMatchObject({
      station: "stage prod on AWS (us-east-1)",
      groups: [{ queue: "email", exampleId: sent.id }],
    });
    expect(await onAws("dlq", "rehearse", sent.id)).toMatchObject({
      code: 0,
      out: expect.stringContaining("send a mail"),
    });
    expect(await onAws("dlq", "redrive", sent.id)).toMatchObject({ code: 0 });
    await station.quiet();
    expect(await station.outbox("aws@example.com")).toHaveLength(1);

    expect(await onAws("advance", "1h")).toMatchObject({
      code: 1,
      error: expect.stringContaining("only for the station on this machine"),
    });
    expect(await runFlux(["dlq", "list", "--stage", "elsewhere"], aws)).toMatchObject({
      code: 1,
      error: expect.stringMatching(/There is no queue elsewhere-flux-.* Is the stage deployed here\?/),
    });
  });
});

describe("flux", () => {
  test("says what it can do, and ends with 2 for what it does not know, 1 for what it cannot do", async () => {
    expect(await runFlux(["--help"])).toMatchObject({ code: 0, out: expect.stringContaining("dlq redrive") });
    expect(await runFlux(["dlq"])).toMatchObject({ code: 0, out: expect.stringContaining("dlq rehearse") });
    expect(await runFlux(["dlq", "redrive", "--help"])).toMatchObject({ out: expect.stringContaining("--dry-run") });
    expect(await runFlux(["frob"])).toMatchObject({ code: 2, error: expect.stringContaining('no verb "frob"') });
    expect(await attempt("dlq", "list", "--rate", "3")).toMatchObject({ code: 2 });
    expect(await attempt("dlq", "list", "--where", "colour=red")).toMatchObject({ code: 2 });
    expect(await attempt("dlq", "list", "--queue", "nope")).toMatchObject({ code: 2 });
    expect(await attempt("dlq", "show", "no-such-id")).toMatchObject({ code: 1 });
    expect(await runFlux(["dlq", "list", "--home", "/nowhere"])).toMatchObject({
      code: 1,
      error: expect.stringContaining("No station is running here"),
    });
  });
});
