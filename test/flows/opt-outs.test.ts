import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sendMessage } from "./message.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { run } from "./workflow-runs.ts";

// Many functions may have to start at once, on a machine that does much else.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const addressOf = (name: string) => `${name}@example.com`;

async function subscribed(name: string): Promise<string> {
  await station.subscribe(addressOf(name));
  await station.quiet();
  expect(await consentOf(name)).toEqual({ ours: true, theirs: true });
  return addressOf(name);
}

/** Whether somebody may be mailed, as the database says and as Resend does. */
async function consentOf(name: string): Promise<{ ours: boolean; theirs: boolean }> {
  const mailable = await station.sql("select from mailable_subscriptions where email = $1", [addressOf(name)]);
  const contact = await station.contact(addressOf(name));
  return { ours: mailable.length === 1, theirs: contact !== undefined && !contact.unsubscribed };
}

let events = 0;
/** An event of Resend's, as its route passes it on. */
async function tell(type: string, data: Record<string, unknown>): Promise<void> {
  events += 1;
  const { now } = await station.report();
  await sendMessage(station, "webhook-events", {
    source: "resend",
    dedupeKey: `opt-out-${events}`,
    type,
    occurredAt: now,
    data: JSON.parse(JSON.stringify({ type, created_at: now, data })),
  });
  await station.quiet();
}

async function unsubscribeByLink(email: string): Promise<void> {
  const [mail] = await station.outbox(email);
  const link = mail?.headers["List-Unsubscribe"]?.slice(1, -1) ?? "";
  const answer = await station.call(link.slice(station.api.length), { body: "List-Unsubscribe=One-Click" });
  expect(answer.status).toBe(202);
}

/** At Resend itself: by a broadcast's link or in its dashboard; it then tells of it. */
async function atResend(email: string, method: "PATCH" | "DELETE", unsubscribed?: boolean): Promise<void> {
  const contact = await station.contact(email);
  const { resendApiKey = "" } = await station.changeSecret({});
  const answer = await fetch(`${station.vendors.resend}/contacts/${contact?.id}`, {
    method,
    headers: { authorization: `Bearer ${resendApiKey}`, "content-type": "application/json" },
    ...(method === "PATCH" ? { body: JSON.stringify({ unsubscribed }) } : {}),
  });
  expect(answer.status).toBe(200);
  await tell(method === "PATCH" ? "contact.updated" : "contact.deleted", {
    id: contact?.id,
    email,
    unsubscribed: unsubscribed ?? false,
  });
}

const mailEvent = (email: string, more: Record<string, unknown> = {}) => ({ to: [email], email_id: "a-mail", ...more });
const softly = { bounce: { type: "Transient", message: "full" } };

const ways: Record<string, (email: string) => Promise<void>> = {
  "our link": async (email) => {
    await unsubscribeByLink(email);
    await station.quiet();
  },
  "a broadcast's link at Resend": (email) => atResend(email, "PATCH", true),
  "a contact deleted at Resend": (email) => atResend(email, "DELETE"),
  "a hard bounce": (email) => tell("email.bounced", mailEvent(email, { bounce: { type: "Permanent", message: "no" } })),
  "a third soft bounce": async (email) => {
    for (let time = 0; time < 3; time += 1) await tell("email.bounced", mailEvent(email, softly));
  },
  "a complaint": (email) => tell("email.complained", mailEvent(email)),
};

test.each(Object.entries(ways))("after %s neither the database nor Resend lets a mail out", async (title, optOut) => {
  const name = title.replaceAll(/\W/g, "-").toLowerCase();
  const email = await subscribed(name);
  await optOut(email);
  expect(await consentOf(name)).toEqual({ ours: false, theirs: false });
});

test("two soft bounces are no opt-out", async () => {
  const email = await subscribed("two-soft");
  for (let time = 0; time < 2; time += 1) await tell("email.bounced", mailEvent(email, softly));
  expect(await consentOf("two-soft")).toEqual({ ours: true, theirs: true });
});

test("an opt-out here that Resend could not be told of at once is told as soon as it is back", async () => {
  const email = await subscribed("while-down");
  await station.faults({ rate5xx: 1 });
  await unsubscribeByLink(email);
  await expect.poll(async () => (await consentOf("while-down")).ours, { timeout: 20_000 }).toBe(false);
  expect((await consentOf("while-down")).theirs).toBe(true);
  await station.faults({});
  await station.advance(1_800_000);
  expect(await consentOf("while-down")).toEqual({ ours: false, theirs: false });
  expect((await station.report()).deadLetters).toEqual({});
});

test("consent given at Resend to somebody who left here is taken back there", async () => {
  const email = await subscribed("wider");
  await unsubscribeByLink(email);
  await station.quiet();
  await atResend(email, "PATCH", false);
  expect(await consentOf("wider")).toEqual({ ours: false, theirs: false });
});

test("whoever subscribes again after leaving by a link is let back in on both sides, and one who complained on neither", async () => {
  const back = await subscribed("back");
  const complained = await subscribed("complained");
  await unsubscribeByLink(back);
  await station.quiet();
  await tell("email.complained", mailEvent(complained));
  await station.advance(60_000);
  for (const email of [back, complained]) await station.subscribe(email);
  await station.quiet();
  expect(await consentOf("back")).toEqual({ ours: true, theirs: true });
  expect(await consentOf("complained")).toEqual({ ours: false, theirs: false });
});

test("a digest in either mode reaches exactly those who may be mailed on both sides", async () => {
  const people = await station.sql<{ email: string }>("select email from newsletter_subscriptions order by email");
  const consents = await Promise.all(people.map(({ email }) => consentOf(email.replace("@example.com", ""))));
  const willing = people.map(({ email }) => email).filter((_, index) => consents[index]?.ours);
  expect(willing).toEqual(["back@example.com", "two-soft@example.com"]);
  for (const [mode, due] of [
    ["batch", "2026-11-16T09:00:00Z"],
    ["broadcast", "2026-11-09T09:00:00Z"],
  ] as const) {
    expect((await run(station, "digest", { scheduled_time: due, mode })).end).toBe("Digest Done");
    const reached = (await station.outbox()).filter(({ kind }) => kind === mode).flatMap(({ to }) => to);
    expect(reached.sort(), mode).toEqual(willing);
  }
});
