import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { config } from "../../station.config.ts";
import { sendMessage } from "./message.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

const folder = mkdtempSync(join(tmpdir(), "flux-email-"));
const recording = join(folder, "exchanges.ndjson");
let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation({ recordTo: recording });
}, START_TIMEOUT_MS);
afterAll(async () => {
  await station?.stop();
  rmSync(folder, { recursive: true });
});

const posted = (to: string, ledgerKey: string) => ({
  template: "job-posted" as const,
  to,
  data: { jobTitle: "Librarian", company: "Acme", jobSlug: "librarian" },
  ledgerKey,
});
const signIn = (to: string, ledgerKey: string) => ({
  template: "auth-magic-link" as const,
  to,
  data: { link: "https://project.supabase.co/auth/v1/verify?token=pkce_topsecret&type=magiclink", code: "914273" },
  ledgerKey,
});
const tallied = async () => (await station.report()).queues.email;

test("a mail is sent once under its key, however often its message comes", async () => {
  await Promise.all(
    Array.from({ length: 4 }, () => sendMessage(station, "email", posted("ada@example.com", "job/1/job-posted"))),
  );
  await station.advance(60_000);
  const mails = await station.outbox("ada@example.com");
  expect(mails).toHaveLength(1);
  expect(mails[0]).toMatchObject({
    from: config.senders.jobs,
    subject: expect.stringContaining("Librarian"),
    idempotencyKey: "job/1/job-posted",
    headers: {},
  });
  expect(mails[0]?.tags.map(({ name }) => name)).toEqual(["type", "ledger"]);
  expect(mails[0]?.text).not.toContain("unsubscribe");
});

test("the team's copy of a contact message is answered to the visitor", async () => {
  await sendMessage(station, "email", {
    template: "contact-submission-admin",
    to: "team@example.com",
    data: {
      submissionId: "sub-1",
      name: "Bob Beck",
      email: "bob@example.com",
      category: "bug",
      message: "Page one is torn.",
      submittedAt: "2025-11-17T23:30:00Z",
    },
    ledgerKey: "contact/sub-1/admin",
  });
  await station.quiet();
  expect((await station.outbox("team@example.com")).map(({ replyTo }) => replyTo)).toEqual([["bob@example.com"]]);
});

test("a sign-in mail arrives, and nobody reads its link, code or address in a call, a recording or a log", async () => {
  await sendMessage(station, "email", signIn("sleepy@example.com", "auth/1/0"));
  await station.quiet();
  const [mail] = await station.outbox("sleepy@example.com");
  expect(mail?.text).toContain("pkce_topsecret");

  const sent = (await station.calls()).filter(({ headers }) => headers["idempotency-key"] === "auth/1/0");
  expect(sent.map(({ body }) => body)).toEqual([
    expect.objectContaining({ to: "[redacted]", html: "[redacted]", text: "[redacted]" }),
  ]);
  for (const file of [recording, join(station.home, "station.log")]) {
    const text = readFileSync(file, "utf8");
    expect(text).toContain("auth/1/0");
    expect(text).not.toMatch(/pkce_topsecret|914273|sleepy@/);
  }
});

test("a sign-in mail whose token has run out is not sent; one that has a minute left is", async () => {
  const nowMs = Date.parse((await station.report()).now);
  const before = (await tallied())?.suppressed ?? 0;
  await sendMessage(station, "email", signIn("late@example.com", "auth/2/0"), {
    occurredAt: new Date(nowMs - 61 * 60_000).toISOString(),
  });
  await sendMessage(station, "email", signIn("prompt@example.com", "auth/3/0"), {
    occurredAt: new Date(nowMs - 58 * 60_000).toISOString(),
  });
  await station.quiet();
  expect(await station.outbox("late@example.com")).toEqual([]);
  expect(await station.outbox("prompt@example.com")).toHaveLength(1);
  expect((await tallied())?.suppressed).toBe(before + 1);
  expect((await station.report()).troubles["mail.expired"]).toBe(1);
});

test("a mail that is no sign-in is sent however long it waited", async () => {
  await sendMessage(station, "email", posted("patient@example.com", "job/2/job-posted"), {
    occurredAt: "2025-01-01T00:00:00.000Z",
  });
  await station.quiet();
  expect(await station.outbox("patient@example.com")).toHaveLength(1);
});

test("an address on the blocklist gets no mail", async () => {
  await station.supabase.rpc("apply_resend_event", {
    p: { event_id: "evt-complaint", type: "email.complained", email: "never@example.com" },
    p_now: (await station.report()).now,
  });
  await sendMessage(station, "email", posted("never@example.com", "job/3/job-posted"));
  await station.quiet();
  expect(await station.outbox("never@example.com")).toEqual([]);
  expect(await station.item("ledger#job/3/job-posted", "mail")).toBeUndefined();
});

test("a mail whose data does not fit its template is dead-lettered without being tried", async () => {
  await station.enqueue("email", {
    id: "broken-1",
    type: "email",
    correlationId: "c",
    businessKey: "b",
    occurredAt: "2025-11-24T09:00:00Z",
    firstSeenAt: "2025-11-24T09:00:00Z",
    deferrals: 0,
    payload: { template: "job-posted", to: "ada@example.com", data: {}, ledgerKey: "job/4" },
  });
  await station.quiet();
  const letters = await station.deadLetters("email");
  expect(letters).toHaveLength(1);
  expect(letters[0]?.attributes.reason).toMatch(/payload\.data\.jobTitle/);
});
