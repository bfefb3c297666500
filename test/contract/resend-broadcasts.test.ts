import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { prepareResend } from "./resend-setup.ts";

const { start } = prepareResend();

const SEED = {
  segments: [
    { id: "seg-readers", name: "Readers" },
    { id: "seg-other", name: "Other" },
  ],
  topics: [{ id: "topic-digest", name: "Weekly digest", defaultSubscription: "opt_in" as const }],
  properties: [{ key: "plan", type: "string" as const, fallbackValue: "free" }],
};

const BROADCAST = {
  name: "digest 2026-W10",
  segmentId: "seg-readers",
  from: "Directory <hello@example.com>",
  subject: "News for {{{FIRST_NAME|you}}}",
  html: '<p>Hi {{{contact.first_name|there}}} ({{{contact.plan}}})</p><a href="{{{RESEND_UNSUBSCRIBE_URL}}}">x</a>',
};

async function startWithReaders() {
  const station = await start({ seed: SEED });
  const { resend } = station;
  const segments = [{ id: "seg-readers" }];
  await resend.contacts.create({ email: "ada@example.com", firstName: "Ada", segments, properties: { plan: "pro" } });
  await resend.contacts.create({ email: "bob@example.com", segments });
  await resend.contacts.create({ email: "gone@example.com", segments, unsubscribed: true });
  await resend.contacts.create({
    email: "out@example.com",
    segments,
    topics: [{ id: "topic-digest", subscription: "opt_out" }],
  });
  await resend.contacts.create({ email: "suppressed@example.com", segments });
  await resend.suppressions.add({ email: "suppressed@example.com" });
  await resend.contacts.create({ email: "elsewhere@example.com", segments: [{ id: "seg-other" }] });
  return station;
}

describe("broadcasts", () => {
  it("go once to each contact of the segment who wants the topic, filled in for each", async () => {
    const { resend, outbox } = await startWithReaders();
    const created = await resend.broadcasts.create({ ...BROADCAST, topicId: "topic-digest" });
    const id = created.data?.id ?? "";
    expect(await outbox()).toEqual([]);
    expect((await resend.broadcasts.send(id)).data?.id).toBe(id);

    const mails = await outbox();
    expect(mails.map(({ to }) => to[0])).toEqual(["ada@example.com", "bob@example.com"]);
    const [ada, bob] = mails;
    expect(ada).toMatchObject({ kind: "broadcast", broadcastId: id, subject: "News for Ada", idempotencyKey: null });
    expect(ada?.html).toContain("<p>Hi Ada (pro)</p>");
    expect(bob?.subject).toBe("News for you");
    expect(bob?.html).toContain("<p>Hi there (free)</p>");
    const link = /href="([^"]+)"/.exec(ada?.html ?? "")?.[1] ?? "";
    expect(link).toMatch(/^https:\/\/unsubscribe\.resend\.com\//);
    expect(ada?.headers["List-Unsubscribe"]).toBe(`<${link}>`);
    expect(bob?.html).not.toContain(link);
  });

  it("reach those who opted out of a topic when sent under none", async () => {
    const { resend, outbox } = await startWithReaders();
    await resend.broadcasts.create({ ...BROADCAST, send: true });
    expect((await outbox()).map(({ to }) => to[0])).toContain("out@example.com");
  });

  it("can be sent only as a draft, so a second send does nothing", async () => {
    const { resend, outbox } = await startWithReaders();
    const { data } = await resend.broadcasts.create(BROADCAST);
    const id = data?.id ?? "";
    await resend.broadcasts.send(id);
    const before = (await outbox()).length;
    expect((await resend.broadcasts.send(id)).error).toMatchObject({ statusCode: 422, name: "validation_error" });
    expect((await resend.broadcasts.update(id, { subject: "Late" })).error?.statusCode).toBe(422);
    expect((await resend.broadcasts.remove(id)).error?.statusCode).toBe(422);
    expect(await outbox()).toHaveLength(before);
    expect((await resend.broadcasts.get(id)).data).toMatchObject({ status: "sent", subject: BROADCAST.subject });
  });

  it("can be found by name, changed and deleted as drafts", async () => {
    const { resend } = await startWithReaders();
    const { data } = await resend.broadcasts.create(BROADCAST);
    const id = data?.id ?? "";
    const listed = await resend.broadcasts.list();
    expect(listed.data?.data.find(({ name }) => name === BROADCAST.name)).toMatchObject({
      id,
      status: "draft",
      sent_at: null,
    });
    await resend.broadcasts.update(id, { subject: "Better" });
    expect((await resend.broadcasts.get(id)).data?.subject).toBe("Better");
    await resend.broadcasts.remove(id);
    expect((await resend.broadcasts.get(id)).error?.statusCode).toBe(404);
  });

  it("wait for their time by the station's clock and can be called back", async () => {
    const { resend, outbox, clock } = await startWithReaders();
    const scheduledAt = new Date(clock.now() + 60_000).toISOString();
    const kept = await resend.broadcasts.create({ ...BROADCAST, send: true, scheduledAt });
    const canceled = await resend.broadcasts.create({ ...BROADCAST, send: true, scheduledAt });
    expect((await resend.broadcasts.get(kept.data?.id ?? "")).data?.status).toBe("queued");
    await resend.broadcasts.cancel(canceled.data?.id ?? "");
    clock.advance(59_999);
    expect(await outbox()).toEqual([]);
    clock.advance(1);
    expect(new Set((await outbox()).map(({ broadcastId }) => broadcastId))).toEqual(new Set([kept.data?.id]));
    expect((await resend.broadcasts.get(canceled.data?.id ?? "")).data?.status).toBe("draft");
  });

  it("list their recipients by what became of the mail", async () => {
    const { resend } = await startWithReaders();
    const { data } = await resend.broadcasts.create({ ...BROADCAST, topicId: "topic-digest", send: true });
    const recipients = async (type: "sent" | "suppressed") =>
      (await resend.broadcasts.recipients(data?.id ?? "", { type })).data?.data.map(({ email }) => email);
    expect(await recipients("sent")).toEqual(["ada@example.com", "bob@example.com"]);
    expect(await recipients("suppressed")).toEqual(["suppressed@example.com"]);
  });

  it.each([
    [{ segmentId: randomUUID() }, "segment_id"],
    [{ topicId: randomUUID() }, "topic_id"],
    [{ html: undefined }, "html"],
    [{ from: "nobody" }, "from"],
  ])("are refused with the field's name: %j", async (wrong, field) => {
    const { resend, state } = await startWithReaders();
    // @ts-expect-error the SDK's types forbid what the API must refuse
    const { error } = await resend.broadcasts.create({ ...BROADCAST, ...wrong });
    expect(error?.statusCode).toBe(422);
    expect(error?.message).toContain(`\`${field}\``);
    expect((await state()).broadcasts).toEqual([]);
  });
});
