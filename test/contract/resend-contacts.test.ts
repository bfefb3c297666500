import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { prepareResend } from "./resend-setup.ts";

const { start } = prepareResend();

const SEED = {
  segments: [
    { id: "seg-readers", name: "Readers" },
    { id: "seg-lapsed", name: "Lapsed" },
  ],
  topics: [
    { id: "topic-digest", name: "Weekly digest", defaultSubscription: "opt_in" as const },
    { id: "topic-jobs", name: "Jobs", defaultSubscription: "opt_out" as const },
  ],
  properties: [
    { key: "source", type: "string" as const },
    { key: "score", type: "number" as const },
  ],
};

describe("contacts", () => {
  it("are created with segments, topics and properties in one call and found by id or address", async () => {
    const { resend, state } = await start({ seed: SEED });
    const created = await resend.contacts.create({
      email: "Ada@example.com",
      firstName: "Ada",
      segments: [{ id: "seg-readers" }],
      topics: [{ id: "topic-jobs", subscription: "opt_in" }],
      properties: { source: "footer", score: 7 },
    });
    const id = created.data?.id ?? "";

    const byEmail = await resend.contacts.get({ email: "ada@example.com" });
    expect(byEmail.data).toMatchObject({ id, email: "Ada@example.com", first_name: "Ada", unsubscribed: false });
    expect((await resend.contacts.get(id)).data?.properties).toEqual({
      source: { type: "string", value: "footer" },
      score: { type: "number", value: 7 },
    });
    expect((await state()).contacts).toEqual([
      {
        id,
        email: "Ada@example.com",
        firstName: "Ada",
        lastName: null,
        unsubscribed: false,
        properties: { source: "footer", score: 7 },
        segments: ["seg-readers"],
        topics: [
          { id: "topic-digest", subscription: "opt_in" },
          { id: "topic-jobs", subscription: "opt_in" },
        ],
      },
    ]);
  });

  it("answer a second creation with the first one's id and keep their values", async () => {
    const { resend, state } = await start({ seed: SEED });
    const first = await resend.contacts.create({ email: "ada@example.com", firstName: "Ada" });
    const second = await resend.contacts.create({
      email: "ADA@example.com",
      firstName: "Other",
      segments: [{ id: "seg-readers" }],
    });
    expect(second.data?.id).toBe(first.data?.id);
    expect((await state()).contacts).toMatchObject([{ firstName: "Ada", segments: [] }]);
  });

  it("are updated field by field, null clearing a name", async () => {
    const { resend } = await start({ seed: SEED });
    await resend.contacts.create({
      email: "ada@example.com",
      firstName: "Ada",
      lastName: "L",
      properties: { score: 1 },
    });
    await resend.contacts.update({
      email: "ada@example.com",
      unsubscribed: true,
      firstName: null,
      properties: { score: 2 },
    });
    const { data } = await resend.contacts.get({ email: "ada@example.com" });
    expect(data).toMatchObject({ unsubscribed: true, first_name: null, last_name: "L" });
    expect(data?.properties.score).toEqual({ type: "number", value: 2 });
  });

  it("are gone after removal", async () => {
    const { resend, state } = await start();
    await resend.contacts.create({ email: "ada@example.com" });
    expect((await resend.contacts.remove({ email: "ada@example.com" })).data?.deleted).toBe(true);
    expect((await resend.contacts.get({ email: "ada@example.com" })).error).toMatchObject({
      statusCode: 404,
      name: "not_found",
    });
    expect((await state()).contacts).toEqual([]);
  });

  it("are listed newest first, in pages both ways, and all at once when no limit is named", async () => {
    const { resend } = await start({ seed: SEED });
    for (let n = 1; n <= 25; n += 1) {
      await resend.contacts.create({ email: `c${n}@example.com`, segments: n % 5 === 0 ? [{ id: "seg-lapsed" }] : [] });
    }
    const emails = (page: { data: { data: { email: string }[] } | null }) => page.data?.data.map(({ email }) => email);

    expect((await resend.contacts.list()).data?.data).toHaveLength(25);
    const first = await resend.contacts.list({ limit: 2 });
    expect(emails(first)).toEqual(["c25@example.com", "c24@example.com"]);
    expect(first.data?.has_more).toBe(true);
    const second = await resend.contacts.list({ limit: 2, after: first.data?.data[1]?.id ?? "" });
    expect(emails(second)).toEqual(["c23@example.com", "c22@example.com"]);
    const back = await resend.contacts.list({ limit: 2, before: second.data?.data[0]?.id ?? "" });
    expect(emails(back)).toEqual(["c25@example.com", "c24@example.com"]);
    expect(back.data?.has_more).toBe(false);
    const members = await resend.contacts.list({ segmentId: "seg-lapsed", limit: 2 });
    expect(emails(members)).toEqual(["c25@example.com", "c20@example.com"]);
    expect((await resend.contacts.list({ limit: 101 })).error).toMatchObject({ statusCode: 422 });
  });

  it.each([
    [{ email: "not an address" }, "validation_error", "`email`"],
    [{ email: "" }, "validation_error", "`email`"],
    [{ email: "a@example.com", segments: [{ id: randomUUID() }] }, "validation_error", "`segments`"],
    [
      { email: "a@example.com", topics: [{ id: randomUUID(), subscription: "opt_in" as const }] },
      "validation_error",
      "`topics`",
    ],
    [{ email: "a@example.com", properties: { unheard_of: "x" } }, "validation_error", "unheard_of"],
    [{ email: "a@example.com", properties: { score: "seven" } }, "validation_error", "score"],
  ])("are refused with the field's name: %j", async (payload, name, field) => {
    const { resend, state } = await start({ seed: SEED });
    const { error } = await resend.contacts.create(payload);
    expect(error).toMatchObject({ statusCode: 422, name });
    expect(error?.message).toContain(field);
    expect((await state()).contacts).toEqual([]);
  });
});

describe("memberships", () => {
  it("move a contact from one segment to another in two calls", async () => {
    const { resend } = await start({ seed: SEED });
    const email = "ada@example.com";
    await resend.contacts.create({ email, segments: [{ id: "seg-readers" }] });
    await resend.contacts.segments.add({ email, segmentId: "seg-lapsed" });
    await resend.contacts.segments.add({ email, segmentId: "seg-lapsed" });
    await resend.contacts.segments.remove({ email, segmentId: "seg-readers" });
    const { data } = await resend.contacts.segments.list({ email });
    expect(data?.data.map(({ id, name }) => [id, name])).toEqual([["seg-lapsed", "Lapsed"]]);
  });

  it("answer 404 for a contact, a segment or a membership that is not there", async () => {
    const { resend } = await start({ seed: SEED });
    const email = "ada@example.com";
    await resend.contacts.create({ email });
    const answers = [
      await resend.contacts.segments.add({ email: "nobody@example.com", segmentId: "seg-lapsed" }),
      await resend.contacts.segments.add({ email, segmentId: "seg-none" }),
      await resend.contacts.segments.remove({ email, segmentId: "seg-lapsed" }),
    ];
    expect(answers.map(({ error }) => [error?.statusCode, error?.message])).toEqual([
      [404, "Contact not found"],
      [404, "Segment not found"],
      [404, "Contact is not in the segment"],
    ]);
  });

  it("give a topic's default until the contact has chosen", async () => {
    const { resend } = await start({ seed: SEED });
    const email = "ada@example.com";
    await resend.contacts.create({ email });
    const choices = async () =>
      Object.fromEntries(
        (await resend.contacts.topics.list({ email })).data?.data.map(({ id, subscription }) => [id, subscription]) ??
          [],
      );
    expect(await choices()).toEqual({ "topic-digest": "opt_in", "topic-jobs": "opt_out" });
    await resend.contacts.topics.update({ email, topics: [{ id: "topic-digest", subscription: "opt_out" }] });
    expect(await choices()).toEqual({ "topic-digest": "opt_out", "topic-jobs": "opt_out" });
  });
});

describe("segments, topics, properties, suppressions and events", () => {
  it("take segments through their life, members losing a deleted one", async () => {
    const { resend, state } = await start();
    const { data } = await resend.segments.create({ name: "Fresh" });
    const id = data?.id ?? "";
    await resend.contacts.create({ email: "ada@example.com", segments: [{ id }] });
    expect((await resend.segments.get(id)).data?.name).toBe("Fresh");
    expect((await resend.segments.list()).data?.data).toHaveLength(1);
    await resend.segments.remove(id);
    expect((await resend.segments.get(id)).error?.statusCode).toBe(404);
    expect((await state()).contacts[0]?.segments).toEqual([]);
  });

  it("take topics through their life", async () => {
    const { resend } = await start();
    const { data } = await resend.topics.create({ name: "Digest", defaultSubscription: "opt_in" });
    const id = data?.id ?? "";
    await resend.topics.update({ id, name: "Weekly", description: "Each Monday" });
    expect((await resend.topics.get(id)).data).toMatchObject({ name: "Weekly", default_subscription: "opt_in" });
    expect((await resend.topics.list()).data?.data).toMatchObject([{ description: "Each Monday" }]);
    await resend.topics.remove(id);
    expect((await resend.topics.get(id)).error?.name).toBe("not_found");
  });

  it("list topics twenty at a time when no limit is named", async () => {
    const { resend } = await start();
    for (let n = 0; n < 21; n += 1) await resend.topics.create({ name: `Topic ${n}`, defaultSubscription: "opt_in" });
    const { data } = await resend.topics.list();
    expect(data?.data).toHaveLength(20);
    expect(data).toMatchObject({ has_more: true });
  });

  it("take contact properties through their life", async () => {
    const { resend } = await start();
    const { data } = await resend.contactProperties.create({ key: "score", type: "number", fallbackValue: 1 });
    const id = data?.id ?? "";
    await resend.contactProperties.update({ id, fallbackValue: 5 });
    expect((await resend.contactProperties.get(id)).data).toMatchObject({ key: "score", fallbackValue: 5 });
    expect((await resend.contactProperties.list()).data?.data).toHaveLength(1);
    expect((await resend.contactProperties.create({ key: "score", type: "number" })).error?.statusCode).toBe(422);
    expect((await resend.contactProperties.update({ id, fallbackValue: "many" })).error?.statusCode).toBe(422);
    await resend.contactProperties.remove(id);
    expect((await resend.contactProperties.get(id)).error?.statusCode).toBe(404);
  });

  it("suppress addresses one by one and in batches, and lift them again", async () => {
    const { resend, state } = await start();
    await resend.suppressions.add({ email: "One@example.com" });
    await resend.suppressions.batch.add({ emails: ["two@example.com", "one@example.com"] });
    expect((await resend.suppressions.list()).data?.data.map(({ email }) => email)).toEqual([
      "two@example.com",
      "one@example.com",
    ]);
    expect((await resend.suppressions.get("two@example.com")).data?.origin).toBe("manual");
    await resend.suppressions.batch.remove({ emails: ["two@example.com", "never@example.com"] });
    await resend.suppressions.remove("one@example.com");
    expect((await state()).suppressions).toEqual([]);
    const many = Array.from({ length: 101 }, (_, n) => `n${n}@example.com`);
    expect((await resend.suppressions.batch.add({ emails: many })).error?.statusCode).toBe(422);
  });

  it("accept events for a contact or an address, not for both or neither", async () => {
    const { resend, state } = await start();
    await resend.events.create({ name: "user.joined", schema: { plan: "string" } });
    const { data } = await resend.events.send({
      event: "user.joined",
      email: "ada@example.com",
      payload: { plan: "pro" },
    });
    expect(data?.event).toBe("user.joined");
    expect((await resend.events.list()).data?.data).toHaveLength(1);
    const both = { event: "user.joined", contactId: randomUUID(), email: "ada@example.com" };
    // @ts-expect-error the SDK's types forbid what the API must refuse
    expect((await resend.events.send(both)).error?.statusCode).toBe(422);
    expect((await state()).events).toMatchObject([{ event: "user.joined", payload: { plan: "pro" } }]);
  });
});
