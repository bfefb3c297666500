import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fluxFor } from "./flux.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { run } from "./workflow-runs.ts";

vi.setConfig({ testTimeout: 120_000 });

const dayMs = 86_400_000;

let station: FlowStation;
let flux: ReturnType<typeof fluxFor>["flux"];
let fluxJson: ReturnType<typeof fluxFor>["fluxJson"];
let attempt: ReturnType<typeof fluxFor>["attempt"];
beforeAll(async () => {
  station = await startFlowStation();
  ({ flux, fluxJson, attempt } = fluxFor(station));
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

/** Somebody whose welcome mail is all that Resend is asked for. */
async function subscriber(email: string): Promise<string> {
  const { data } = await station.supabase.rpc("subscribe_newsletter", { p_email: email });
  return data.subscription_id;
}
const askForWelcome = (email: string, subscription_id: string) =>
  station.callInternal("/email/welcome", { body: { email, subscription_id } });
const mail = (subscriptionId: string) => station.item(`ledger#welcome/${subscriptionId}`, "mail");
const status = async (subscriptionId: string) => (await mail(subscriptionId))?.status;

describe("A parked mail", () => {
  const people = { sent: "", unsent: "", refused: "" };
  const key = (person: keyof typeof people) => `welcome/${people[person]}`;

  beforeAll(async () => {
    for (const person of ["sent", "unsent", "refused"] as const)
      people[person] = await subscriber(`${person}@example.com`);
    // Resend takes the first without saying so, gives no usable answer to the others, and then nobody asks it for longer
    // than it remembers.
    await station.faults({ acceptThenTimeout: 1 });
    await askForWelcome("sent@example.com", people.sent);
    await vi.waitFor(async () => expect(await station.outbox("sent@example.com")).toHaveLength(1), 30_000);
    await station.faults({ rate5xx: 1 });
    for (const person of ["unsent", "refused"] as const) await askForWelcome(`${person}@example.com`, people[person]);
    const tried = async () => Promise.all(Object.values(people).map(status));
    while ((await tried()).some((each) => each !== "sending")) await station.advance(5_000);
    await flux("pause", "subscription");
    await station.advance(1.2 * dayMs);
    await station.faults({});
    await flux("resume", "subscription");
    await station.advance(3_600_000);
  }, 120_000);

  test("is listed with its reason", async () => {
    const listed = await fluxJson<{ key: string; mails: number; reason: string }[]>("ledger", "list");
    expect(listed.map((each) => each.key).toSorted()).toEqual([key("sent"), key("unsent"), key("refused")].toSorted());
    for (const { mails, reason } of listed) {
      expect(mails).toBe(1);
      expect(reason).toContain("older than the provider's memory");
    }
    expect(await flux("ledger", "list")).toContain(`${key("sent")}  mail, first tried 20`);
  });

  test("settled as sent is never sent again", async () => {
    expect(await flux("ledger", "settle", key("sent"), "--as", "sent", "--reason", "seen at Resend")).toContain(
      "It will not be sent again",
    );
    await askForWelcome("sent@example.com", people.sent);
    await station.quiet();
    expect(await station.outbox("sent@example.com")).toHaveLength(1);
    expect(await mail(people.sent)).toMatchObject({
      status: "accepted",
      providerIds: ["settled-by-operator"],
      reason: expect.stringMatching(/^settled as sent by .+: seen at Resend$/),
    });
  });

  test("settled as unsent is sent when it is asked for, once", async () => {
    expect(await station.outbox("unsent@example.com")).toEqual([]);
    await flux("ledger", "settle", key("unsent"), "--as", "unsent", "--reason", "not at Resend");
    expect(await status(people.unsent)).toBe("claimed");
    for (let time = 0; time < 2; time += 1) await askForWelcome("unsent@example.com", people.unsent);
    await station.quiet();
    expect(await station.outbox("unsent@example.com")).toHaveLength(1);
    expect(await status(people.unsent)).toBe("accepted");
  });

  test("settled as refused is dead-lettered when it is asked for, and may still be freed", async () => {
    await flux("ledger", "settle", key("refused"), "--as", "refused", "--reason", "asked us not to");
    await askForWelcome("refused@example.com", people.refused);
    await station.quiet();
    expect(await station.outbox("refused@example.com")).toEqual([]);
    expect(await fluxJson("dlq", "redrive", "--dry-run")).toMatchObject({ verdicts: { refused: 1 } });
    await flux("ledger", "settle", key("refused"), "--as", "unsent", "--reason", "changed their mind");
    await flux("dlq", "redrive", "--queue", "subscription");
    await station.quiet();
    expect(await station.outbox("refused@example.com")).toHaveLength(1);
  });

  test("cannot be settled twice, nor without a reason; every settlement is on record", async () => {
    expect(await attempt("ledger", "settle", key("sent"), "--as", "unsent", "--reason", "again")).toMatchObject({
      code: 1,
      error: expect.stringContaining("it is accepted, which needs no settling"),
    });
    expect(await attempt("ledger", "settle", key("sent"), "--as", "sent")).toMatchObject({
      code: 2,
      error: expect.stringContaining("--reason"),
    });
    expect(await attempt("ledger", "settle", "welcome/nobody", "--as", "sent", "--reason", "x")).toMatchObject({
      code: 1,
      error: expect.stringContaining("There is no ledger record welcome/nobody"),
    });
    const log = await fluxJson<{ verb: string; given: { key: string; as: string } }[]>("ledger", "log");
    expect(log.map(({ given }) => given.as)).toEqual(["unsent", "refused", "unsent", "sent"]);
  });
});

describe("A parked announcement", () => {
  test("settled as sent with its message's id is not posted again, and follows what it tells of", async () => {
    const [job] = await station.sql<{ id: string }>(
      `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ('parked', 'Parking Attendant', 'Example Post', 'What there is to do', 'engineering', 'https://example.com', 'active', false)
       returning id`,
    );
    const key = `discord/job/${job?.id}`;
    const posts = async () =>
      (await station.vendorState<{ id: string; edits: number; embeds: unknown }>("discord", "messages")).filter(
        ({ embeds }) => JSON.stringify(embeds).includes("Parking Attendant"),
      );
    await station.faults({ acceptThenTimeout: 1 }, "discord");
    await station.fire("outbox-sweep");
    await vi.waitFor(
      async () => expect(await station.item(`ledger#${key}`, "announcement")).toMatchObject({ status: "parked" }),
      60_000,
    );
    await station.faults({}, "discord");
    const [post] = await posts();
    expect(await fluxJson("ledger", "list")).toMatchObject([{ key, kind: "announcement", status: "parked" }]);

    await flux("ledger", "settle", key, "--as", "sent", "--reason", "it is there", "--message-id", post?.id ?? "");
    await station.sql("update jobs set salary = 'newest' where id = $1", [job?.id]);
    await station.fire("outbox-sweep");
    await station.quiet();
    expect(await posts()).toMatchObject([{ id: post?.id, edits: 1 }]);
  });
});

describe("A parked batch of a digest", () => {
  const week = "2026-W46";
  const wish = { scheduled_time: "2026-11-09T09:00:00Z", mode: "batch" as const };
  const key = `digest/${week}/0`;
  const digests = async () =>
    (await station.outbox()).filter(({ tags }) => tags.some(({ value }) => value === "weekly_digest"));

  test("is sent once the week is reopened, and nothing else is sent again", async () => {
    const dynamodb = new DynamoDBClient({
      endpoint: station.endpoints.dynamodb,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    const parked = { key, status: "parked", payloadHash: "x", firstAttemptMs: 0, attempts: 1, providerIds: [] };
    await dynamodb.send(
      new PutItemCommand({
        TableName: "prod-flux-state",
        Item: marshall({ pk: `ledger#${key}`, sk: "mail", ...parked, reason: "nobody knows" }),
      }),
    );
    dynamodb.destroy();
    expect((await run(station, "digest", wish)).end).toBe("Digest Done");
    expect(await digests()).toEqual([]);

    await flux("ledger", "settle", key, "--as", "unsent", "--reason", "not at Resend");
    expect((await run(station, "digest", wish)).end).toBe("Already Sent");
    expect(await flux("digest", "reopen", week, "--reason", "a batch was missing")).toContain("is open again");
    expect(await attempt("digest", "reopen", week, "--reason", "once more")).toMatchObject({ code: 1 });
    expect((await run(station, "digest", wish)).end).toBe("Digest Done");
    const sent = await digests();
    expect(sent.map(({ to }) => to[0]).toSorted()).toEqual([
      "refused@example.com",
      "sent@example.com",
      "unsent@example.com",
    ]);

    await flux("digest", "reopen", week, "--reason", "nothing is missing now");
    expect((await run(station, "digest", wish)).end).toBe("Digest Done");
    expect(await digests()).toHaveLength(sent.length);
    const [recorded] = await station.sql("select status, sent from digest_runs where week = $1", [week]);
    expect(recorded).toMatchObject({ status: "sent", sent: 3 });
    expect(await fluxJson("ledger", "log", "--limit", "1")).toMatchObject([
      { verb: "digest reopen", given: { week, reason: "nothing is missing now" }, counts: { reopened: 1 } },
    ]);
  });
});
