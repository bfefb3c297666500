import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { synthesize } from "../../infra/synthesize.ts";
import { type Envelope, makeEnvelope } from "../../lambdas/core/messages.ts";
import { resolveStation } from "../../lambdas/core/station.ts";
import { config } from "../../station.config.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

// A machine that does much else at once takes its time for a dozen attempts.
vi.setConfig({ testTimeout: 60_000 });

/** Longer than all backoffs of a message together. */
const hourMs = 3_600_000;

/** A station of the registry as it is but for one number. */
async function startWithMaxReceiveCount(maxReceiveCount: number): Promise<FlowStation> {
  const dir = await mkdtemp(join(tmpdir(), "flux-assembly-"));
  const assemblyDir = join(dir, "cdk.out");
  const resolved = resolveStation(config);
  const { queues } = resolved;
  await synthesize(
    { ...resolved, queues: { ...queues, subscription: { ...queues.subscription, maxReceiveCount } } },
    { outdir: assemblyDir, bundleDir: join(dir, "functions") },
  );
  const station = await startFlowStation({ assemblyDir });
  return {
    ...station,
    stop: async () => {
      await station.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const envelopeIn = (body: string): Envelope => JSON.parse(body);

describe.each([2, 4])("With a maxReceiveCount of %i in the registry", (maxReceiveCount) => {
  let station: FlowStation;
  beforeAll(async () => {
    station = await startWithMaxReceiveCount(maxReceiveCount);
  }, START_TIMEOUT_MS);
  afterAll(() => station?.stop());

  const failing = "failing@example.com";
  const attempts = async () => (await station.calls()).filter(({ path }) => path === "/contacts");

  test("a failing message is tried that often, then dead-lettered", async () => {
    await station.faults({ rate5xx: 1 });
    const answer = await station.call("/email/subscribe", {
      body: { email: failing },
      headers: { "x-correlation-id": "the-failing-one" },
    });
    expect(answer.status).toBe(202);
    await station.advance(hourMs);

    expect(await attempts()).toHaveLength(maxReceiveCount);
    const letters = await station.deadLetters("subscription");
    expect(letters).toHaveLength(1);
    const envelope = envelopeIn(letters[0]?.body ?? "");
    expect(envelope).toMatchObject({ id: answer.json().id, correlationId: "the-failing-one", deferrals: 0 });
    expect((await station.report()).queues.subscription).toMatchObject({ received: 1, failing: 1, done: 0 });
  });

  test("each attempt waits longer than the one before", async () => {
    const at = (await attempts()).map((call) => Date.parse(call.at));
    const pausesMs = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
    for (const [index, pauseMs] of pausesMs.entries()) {
      // Doubles from 5 s, spread by up to a fifth; the rest is the machine's own time.
      expect(pauseMs).toBeGreaterThanOrEqual(5_000 * 2 ** index - 500);
      expect(pauseMs).toBeLessThanOrEqual(6_000 * 2 ** index + 8_000);
    }
  });

  test("a record says why the last attempt failed, joined to the message by its id", async () => {
    const [letter] = await station.deadLetters("subscription");
    const envelope = envelopeIn(letter?.body ?? "");
    const record = await station.item("failure#subscription", envelope.id);
    expect(record).toMatchObject({
      errorName: "ProviderUnavailable",
      errorMessage: expect.stringContaining("Resend contacts.create"),
      fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
      attempts: maxReceiveCount,
      correlationId: "the-failing-one",
      firstSeenAt: envelope.firstSeenAt,
    });
    expect(Number(record?.expiresAt) * 1000).toBeGreaterThan(
      Date.parse((await station.report()).now) + 28 * 86_400_000,
    );
  });

  test("the dead letter sent back after the repair is carried out once", async () => {
    await station.faults({});
    const [letter] = await station.deadLetters("subscription");
    await station.purge("subscription");
    await station.enqueue("subscription", letter?.body);
    await station.advance(1000);
    expect(await station.outbox(failing)).toHaveLength(1);
    expect((await station.contacts()).map(({ email }) => email)).toEqual([failing]);
    expect(await station.deadLetters("subscription")).toEqual([]);
  });

  test("a deferred message waits as often as it must without one attempt counted", async () => {
    const email = "deferred@example.com";
    await station.faults({ rate429: 1 });
    const before = (await attempts()).length;
    await station.subscribe(email);
    // Resend asks for one second each time.
    for (let second = 0; second < maxReceiveCount + 3; second += 1) await station.advance(1_500);
    const refused = (await attempts()).slice(before);
    expect(refused.length).toBeGreaterThan(maxReceiveCount);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([429]));
    expect(await station.deadLetters("subscription")).toEqual([]);

    await station.faults({});
    await station.advance(10_000);
    expect(await station.outbox(email)).toHaveLength(1);
    expect((await station.report()).queues.subscription).toMatchObject({ done: 2, deferred: 0 });
  });

  test("a message deferred before has all its attempts, and remembers the deferrals", async () => {
    const email = "both@example.com";
    await station.faults({ rate429: 1 });
    await station.subscribe(email);
    for (let second = 0; second < 3; second += 1) await station.advance(1_500);
    const deferrals = (await attempts()).filter(
      ({ status, body }) => status === 429 && JSON.stringify(body).includes(email),
    ).length;
    expect(deferrals).toBeGreaterThan(0);
    await station.faults({ rate5xx: 1 });
    await station.advance(hourMs);
    const failed = (await attempts()).filter(
      ({ status, body }) => status === 500 && JSON.stringify(body).includes(email),
    );
    expect(failed).toHaveLength(maxReceiveCount);
    const letters = await station.deadLetters("subscription");
    expect(letters.map(({ body }) => envelopeIn(body).deferrals)).toEqual([deferrals]);
    await station.faults({});
    await station.purge("subscription");
  });

  test("an invalid message is dead-lettered at once, with its reason", async () => {
    const whole = makeEnvelope(
      "subscription",
      { kind: "subscribe", email: "whole@example.com" },
      { businessKey: "subscribe/x", correlationId: "sent-past-the-route", nowMs: Date.now() },
    );
    const broken: [body: unknown, reason: RegExp][] = [
      ["no JSON at all", /breaks the contract of subscription/],
      [{ ...whole, payload: { ...whole.payload, email: "nobody" } }, /payload\.email/],
      [{ ...whole, payload: { kind: "rename" } }, /payload\.kind/],
      [{ ...whole, type: "pulse" }, /type/],
      [{ ...whole, deferrals: -1 }, /deferrals/],
    ];
    const after = (await station.calls()).at(-1)?.seq ?? 0;
    for (const [body] of broken) await station.enqueue("subscription", body);
    await station.quiet();

    const letters = await station.deadLetters("subscription");
    expect(letters).toHaveLength(broken.length);
    for (const [body, reason] of broken) {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const letter = letters.find((each) => each.body === text);
      expect(letter?.attributes, text).toEqual({
        reason: expect.stringMatching(reason),
        errorName: "InvalidInput",
        fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
        attempts: "1",
      });
    }
    expect(await station.calls("resend", after)).toEqual([]);
  });
});

describe("When Resend is ill for a while", () => {
  let station: FlowStation;
  beforeAll(async () => {
    station = await startFlowStation();
  }, START_TIMEOUT_MS);
  afterAll(() => station?.stop());

  test("everybody is welcomed once, whatever went wrong on the way", async () => {
    const people = Array.from({ length: 12 }, (_, index) => `person-${index}@example.com`);
    await station.faults({ rate5xx: 0.25, rate429: 0.1, reset: 0.1 });
    await Promise.all(people.map((email) => station.subscribe(email)));
    await station.advance(10_000);
    await station.faults({});
    await station.advance(hourMs);

    const outbox = await station.outbox();
    expect(outbox.map(({ to }) => to[0]).toSorted()).toEqual(people.toSorted());
    const contacts = await station.contacts();
    expect(contacts.map(({ email }) => email).toSorted()).toEqual(people.toSorted());
    for (const contact of contacts) expect(contact.segments, contact.email).toHaveLength(2);
    const { queues, deadLetters, troubles } = await station.report();
    expect(deadLetters).toEqual({});
    expect(queues.subscription).toMatchObject({ received: people.length, done: people.length });
    expect(troubles["provider.failed"]).toBeGreaterThan(0);
  }, 120_000);

  test("a mail that Resend took without saying so is not sent again", async () => {
    const email = "silence@example.com";
    // Known at Resend already, so that the welcome is the only call.
    const { data } = await station.supabase.rpc("subscribe_newsletter", { p_email: email });
    const key = `welcome/${data.subscription_id}`;
    await station.supabase.rpc("record_contact_sync", {
      p_subscription_id: data.subscription_id,
      p_contact_id: "known",
      p_status: "synced",
      p_error: null,
      p_topics: [],
      p_now: (await station.report()).now,
    });
    const after = (await station.calls()).at(-1)?.seq ?? 0;
    await station.faults({ acceptThenTimeout: 1 });
    await station.subscribe(email);
    const sends = async () => (await station.calls("resend", after)).map(({ path, status }) => ({ path, status }));
    await expect.poll(sends, { timeout: 20_000 }).toEqual([{ path: "/emails", status: null }]);
    expect(await station.item(`ledger#${key}`, "mail")).toMatchObject({ status: "sending", providerIds: [] });

    await station.faults({});
    await station.advance(hourMs);
    expect(await sends()).toEqual([
      { path: "/emails", status: null },
      { path: "/emails", status: 200 },
    ]);
    const mails = await station.outbox(email);
    expect(mails).toHaveLength(1);
    expect(mails[0]?.idempotencyKey).toBe(key);
    expect(await station.item(`ledger#${key}`, "mail")).toMatchObject({ status: "accepted" });
  }, 120_000);
});
