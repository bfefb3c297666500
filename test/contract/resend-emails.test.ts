import { describe, expect, it } from "vitest";
import { LETTER, prepareResend } from "./resend-setup.ts";

const { start } = prepareResend();
const HOUR_MS = 60 * 60 * 1_000;

describe("emails", () => {
  it("reach the outbox as they were sent", async () => {
    const { resend, outbox, clock } = await start();
    const { data, error } = await resend.emails.send({
      ...LETTER,
      text: "Hello",
      headers: { "List-Unsubscribe": "<https://example.com/u>" },
      tags: [{ name: "ledger", value: "abc" }],
    });
    expect(error).toBeNull();
    expect(await outbox()).toMatchObject([
      {
        id: data?.id,
        at: new Date(clock.now()).toISOString(),
        to: ["ada@example.com"],
        subject: "Welcome",
        html: "<p>Hello</p>",
        text: "Hello",
        headers: { "List-Unsubscribe": "<https://example.com/u>" },
        tags: [{ name: "ledger", value: "abc" }],
        kind: "email",
        idempotencyKey: null,
      },
    ]);
    expect((await resend.emails.get(data?.id ?? "")).data).toMatchObject({
      last_event: "delivered",
      to: ["ada@example.com"],
    });
    expect((await resend.emails.list()).data?.data).toHaveLength(1);
  });

  it.each([
    [{ ...LETTER, to: undefined }, "missing_required_field", "Missing `to` field."],
    [{ ...LETTER, subject: undefined }, "missing_required_field", "Missing `subject` field."],
    [{ ...LETTER, from: undefined }, "missing_required_field", "Missing `from` field."],
    [{ ...LETTER, html: undefined }, "missing_required_field", "Missing `html` or `text` field."],
    [{ ...LETTER, to: "nowhere" }, "validation_error", "Invalid `to` field."],
    [{ ...LETTER, to: ["a@example.com", "Ada <nowhere>"] }, "validation_error", "Invalid `to` field."],
    [
      { ...LETTER, to: Array.from({ length: 51 }, (_, n) => `n${n}@example.com`) },
      "validation_error",
      "Invalid `to` field.",
    ],
    [{ ...LETTER, from: "nobody" }, "invalid_from_address", "Invalid `from` field."],
    [{ ...LETTER, tags: [{ name: "a b", value: "c" }] }, "validation_error", "Invalid `tags` field."],
  ])("are refused with the field's name: %j", async (payload, name, message) => {
    const { resend, outbox } = await start();
    // @ts-expect-error the SDK's types forbid what the API must refuse
    const { error } = await resend.emails.send(payload);
    expect(error).toMatchObject({ statusCode: 422, name });
    expect(error?.message).toContain(message);
    expect(await outbox()).toEqual([]);
  });

  it("wait for their time, and can be moved or canceled until then", async () => {
    const { resend, outbox, clock } = await start();
    const at = (hours: number) => new Date(clock.now() + hours * HOUR_MS).toISOString();
    const kept = await resend.emails.send({ ...LETTER, scheduledAt: at(1) });
    const canceled = await resend.emails.send({ ...LETTER, scheduledAt: at(1) });
    await resend.emails.cancel(canceled.data?.id ?? "");
    await resend.emails.update({ id: kept.data?.id ?? "", scheduledAt: at(2) });
    clock.advance(1.5 * HOUR_MS);
    expect(await outbox()).toEqual([]);
    clock.advance(HOUR_MS);
    expect((await outbox()).map(({ id }) => id)).toEqual([kept.data?.id]);
    expect((await resend.emails.cancel(kept.data?.id ?? "")).error?.statusCode).toBe(422);
  });

  it("do not leave for suppressed addresses or for contacts who opted out of their topic", async () => {
    const topics = [{ id: "topic-jobs", name: "Jobs", defaultSubscription: "opt_in" as const }];
    const { resend, outbox } = await start({ seed: { topics } });
    await resend.suppressions.add({ email: "ada@example.com" });
    await resend.contacts.create({ email: "bob@example.com", topics: [{ id: "topic-jobs", subscription: "opt_out" }] });
    const suppressed = await resend.emails.send(LETTER);
    await resend.emails.send({ ...LETTER, to: "bob@example.com", topicId: "topic-jobs" });
    await resend.emails.send({ ...LETTER, to: "eve@example.com", topicId: "topic-jobs" });
    expect((await resend.emails.get(suppressed.data?.id ?? "")).data?.last_event).toBe("suppressed");
    expect((await outbox()).map(({ to }) => to)).toEqual([["eve@example.com"]]);
  });

  it("play Resend's test addresses", async () => {
    const { resend } = await start();
    const { data } = await resend.emails.send({ ...LETTER, to: "bounced+a@resend.dev" });
    expect((await resend.emails.get(data?.id ?? "")).data?.last_event).toBe("bounced");
  });
});

describe("batches", () => {
  const mails = (count: number) => Array.from({ length: count }, (_, n) => ({ ...LETTER, to: `n${n}@example.com` }));

  it("take up to a hundred mails and answer their ids in order", async () => {
    const { resend, outbox } = await start();
    const { data } = await resend.batch.send(mails(100), { idempotencyKey: "digest/1" });
    const sent = await outbox();
    expect(data?.data.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
    expect(sent[99]).toMatchObject({ to: ["n99@example.com"], kind: "batch", idempotencyKey: "digest/1" });
    expect((await resend.batch.send(mails(101))).error).toMatchObject({ statusCode: 422, name: "validation_error" });
    expect((await resend.batch.send([])).error?.statusCode).toBe(422);
    expect(await outbox()).toHaveLength(100);
  });

  it("send nothing when one mail is wrong, without telling which", async () => {
    const { resend, outbox } = await start();
    const { error } = await resend.batch.send([...mails(2), { ...LETTER, to: "nowhere" }]);
    expect(error).toMatchObject({ statusCode: 422, name: "validation_error" });
    expect(error?.message).not.toMatch(/2|nowhere/);
    expect(await outbox()).toEqual([]);
  });

  it("send the right ones in permissive mode and name the others by index", async () => {
    const { resend, outbox } = await start();
    const { data } = await resend.batch.send([{ ...LETTER, to: "nowhere" }, ...mails(2)], {
      batchValidation: "permissive",
    });
    expect(data?.errors).toEqual([{ index: 0, message: expect.stringContaining("`to`") }]);
    expect(data?.data.map(({ id }) => id)).toEqual((await outbox()).map(({ id }) => id));
  });

  it("take no attachments", async () => {
    const { resend } = await start();
    const attachments = [{ filename: "a.txt", content: "YQ==" }];
    expect((await resend.emails.send({ ...LETTER, attachments })).error).toBeNull();
    // @ts-expect-error the SDK's types forbid what the API must refuse
    expect((await resend.batch.send([{ ...LETTER, attachments }])).error?.message).toContain("attachments");
  });
});

describe("idempotency keys", () => {
  it("give the first answer again instead of sending twice, for a day", async () => {
    const { resend, outbox, clock } = await start();
    const send = async () => (await resend.emails.send(LETTER, { idempotencyKey: "welcome/1" })).data?.id;
    const first = await send();
    clock.advance(24 * HOUR_MS - 1);
    expect(await send()).toBe(first);
    expect(await outbox()).toHaveLength(1);
    clock.advance(1);
    expect(await send()).not.toBe(first);
    expect(await outbox()).toHaveLength(2);
  });

  it("refuse another payload, or the same one on the other endpoint", async () => {
    const { resend, outbox } = await start();
    await resend.emails.send(LETTER, { idempotencyKey: "k" });
    const other = await resend.emails.send({ ...LETTER, subject: "Other" }, { idempotencyKey: "k" });
    const elsewhere = await resend.batch.send([LETTER], { idempotencyKey: "k" });
    for (const { error } of [other, elsewhere]) {
      expect(error).toMatchObject({ statusCode: 409, name: "invalid_idempotent_request" });
    }
    expect(await outbox()).toHaveLength(1);
  });

  it("refuse a repeat while the first is still being worked on", async () => {
    const { resend, setFaults, outbox } = await start();
    await setFaults({ latencyMs: 200 });
    const send = () => resend.emails.send(LETTER, { idempotencyKey: "k" });
    const names = (await Promise.all([send(), send(), send()])).map(({ error }) => error?.name ?? "sent");
    expect(names.sort()).toEqual(["concurrent_idempotent_requests", "concurrent_idempotent_requests", "sent"]);
    expect(await outbox()).toHaveLength(1);
  });

  it("must be 1 to 256 characters, and are not kept for a refused mail", async () => {
    const { resend, outbox } = await start();
    const long = await resend.emails.send(LETTER, { idempotencyKey: "x".repeat(257) });
    expect(long.error).toMatchObject({ statusCode: 400, name: "invalid_idempotency_key" });
    await resend.emails.send({ ...LETTER, to: "nowhere" }, { idempotencyKey: "k" });
    expect((await resend.emails.send(LETTER, { idempotencyKey: "k" })).error).toBeNull();
    expect(await outbox()).toHaveLength(1);
  });

  it("mean nothing on other endpoints", async () => {
    const { url, state } = await start({ seed: { segments: [{ id: "s", name: "S" }] } });
    const create = () =>
      fetch(`${url}/broadcasts`, {
        method: "POST",
        headers: { authorization: "Bearer re_local_contract", "idempotency-key": "k" },
        body: JSON.stringify({ from: "a@example.com", subject: "S", segment_id: "s", html: "x" }),
      });
    expect((await create()).status).toBe(201);
    expect((await create()).status).toBe(201);
    expect((await state()).broadcasts).toHaveLength(2);
  });
});
