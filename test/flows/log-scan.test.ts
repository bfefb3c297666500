import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sendMessage } from "./message.ts";
import { signingFor } from "./signing.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

/** Requests of every kind of caller, good ones and bad ones, with an address in each. */
async function request() {
  const sign = signingFor(station);
  const signed = (headers: (signing: { body: string }) => Record<string, string>, content: unknown) => {
    const body = JSON.stringify(content);
    return { body, headers: { "content-type": "application/json", ...headers({ body }) } };
  };
  await station.subscribe("reader@example.com");
  await station.subscribe("not-an-address@example");
  await station.call("/nowhere/reader@example.com?token=reader%40example.com");
  await station.call("/email/contact", {
    body: {
      name: "Ada",
      email: "ada@example.com",
      category: "general",
      message: "My secret is safe with you, I hope?",
    },
    headers: sign.captcha(),
  });
  await station.callInternal("/email/transactional", {
    body: {
      type: "job-posted",
      email: "poster@example.com",
      data: { jobTitle: "Cook", company: "Canteen", jobSlug: "cook" },
    },
  });
  await station.call(
    "/email/welcome",
    signed(sign.authHook, {
      user: { id: randomUUID(), email: "member@example.com" },
      email_data: {
        email_action_type: "recovery",
        token: "123456",
        token_hash: "hash-of-the-token",
        redirect_to: "https://directory.example.com",
        site_url: "https://directory.example.com",
      },
    }),
  );
  for (const type of ["email.bounced", "contact.updated", "no.such-type"])
    await station.call(
      "/",
      signed(sign.resend, {
        type,
        created_at: new Date().toISOString(),
        data: {
          email_id: randomUUID(),
          to: ["reader@example.com"],
          email: "reader@example.com",
          bounce: { type: "Permanent", subType: "General", message: "reader@example.com does not exist" },
        },
      }),
    );
  await station.call("/active-notifications", { headers: await sign.user(randomUUID()) });
}

test("a run of all kinds of work, failing work too, leaves a long log with nothing in it that must not be", async () => {
  await station.faults({ rate5xx: 0.3 });
  await request();
  await station.sql(
    `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
     values ('cook', 'Cook', 'Canteen', 'Cooks', 'engineering', 'https://example.com/job', 'active', false)`,
  );
  await station.sql(
    `insert into content_submissions (name, description, category, submission_type, author, submitter_email)
     values ('A thing', 'What it is', 'mcp', 'mcp', 'Ada Example', 'sender@example.com')`,
  );
  await station.enqueue("subscription", { email: "reader@example.com", because: "it breaks the contract" });
  await sendMessage(station, "pulse", {
    content_type: "mcp",
    content_slug: "x".repeat(10),
    interaction_type: "view",
    user_id: null,
    session_id: null,
    metadata: null,
  });
  await station.faults({ acceptThenTimeout: 1 }, "discord");
  await station.fire("outbox-sweep");
  await vi.waitFor(async () => expect((await station.report()).queues["discord-jobs"]?.parked).toBeGreaterThan(0), {
    timeout: 60_000,
    interval: 300,
  });
  await station.faults({}, "discord");
  await station.faults({});
  await station.advance(86_400_000);
  await station.quiet();

  const { lines, codes, leaks } = await station.scanLog();
  expect(leaks).toEqual([]);
  expect(lines).toBeGreaterThan(100);
  expect([...codes]).toEqual(
    expect.arrayContaining([
      "request.answered",
      "message.outcome",
      "rpc.called",
      "mail.accepted",
      "webhook.received",
      "signal.webhook-unknown-type",
      "signal.announcement-parked",
      "provider.failed",
      "outbox.swept",
      "task.completed",
    ]),
  );
});

test("a station that logged too much cannot be stopped without failing its test file", async () => {
  const log = join(station.home, "station.log");
  const [mail] = await station.outbox("reader@example.com");
  const sentence = mail?.text?.split("\n").find((line) => line.length > 50 && !line.includes("://"));
  const { discordJobsWebhook = "" } = await station.changeSecret({});
  const link = mail?.headers["List-Unsubscribe"] ?? "";
  const token = new URL(link.slice(1, -1)).searchParams.get("token");
  for (const told of ["reader@example.com", discordJobsWebhook.split("/")[1], token, sentence])
    appendFileSync(log, `${JSON.stringify({ level: "INFO", message: "planted", told })}\n`);
  const { leaks, lines } = await station.scanLog();
  expect(leaks.map(({ rule, lineNumber }) => [rule, lines - lineNumber])).toEqual([
    ["e-mail address", 3],
    ["credential", 2],
    ["unsubscribe token", 1],
    ["mail", 0],
  ]);
  await expect(station.stop()).rejects.toThrow(/4 leaks in the \d+ lines of the station's log/);
  expect(existsSync(station.home)).toBe(false);
  // What `afterAll` stops is gone already.
  station = { ...station, stop: async () => undefined };
});
