import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
afterEach(async () => {
  await station.faults({}, "discord");
});

interface Message {
  id: string;
  webhook: string;
  edits: number;
  content: string;
  embeds: { title: string; description?: string; fields?: { name: string; value: string }[] }[];
}
const messages = async (webhook: string, about: string) =>
  (await station.vendorState<Message>("discord", "messages")).filter(
    (message) => message.webhook === webhook && JSON.stringify(message.embeds).includes(about),
  );
/** Lets the outbox's sweep run, and all that comes of it. */
const sweep = async () => {
  await station.fire("outbox-sweep");
  await station.quiet();
};
const idOf = async (text: string, values: unknown[] = []) => {
  const [row] = await station.sql<{ id: string }>(text, values);
  if (!row) throw new Error("no row was written");
  return row.id;
};

describe("a job", () => {
  const insert = (title: string, more = "") =>
    idOf(
      `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ($1, $2, 'Example Post', 'What there is to do', 'engineering', 'https://example.com/job', ${more || "'active', false"})
       returning id`,
      [title.toLowerCase().replaceAll(" ", "-"), title],
    );
  const ledger = (id: string) => station.item(`ledger#discord/job/${id}`, "announcement");

  test("has one message, which two updates at once leave with the newer content", async () => {
    const id = await insert("Night Sorter");
    await sweep();
    const [first] = await messages("jobs", "Night Sorter");
    await Promise.all([
      station.sql("update jobs set salary = 'one' where id = $1", [id]),
      station.sql("update jobs set location = 'Example City' where id = $1", [id]),
    ]);
    await station.sql("update jobs set salary = 'newest' where id = $1", [id]);
    await sweep();
    const found = await messages("jobs", "Night Sorter");
    expect(found).toMatchObject([{ id: first?.id }]);
    const values = found[0]?.embeds[0]?.fields?.map(({ value }) => value);
    expect(values).toEqual(expect.arrayContaining(["newest", "Example City"]));
    expect(values).not.toContain("one");
    expect(await station.sql("select discord_message_id from jobs where id = $1", [id])).toEqual([
      { discord_message_id: first?.id },
    ]);
  });

  test("that is written and changed before anything is sent is posted once", async () => {
    const id = await insert("Quick Change");
    for (const salary of ["a", "b", "c"]) await station.sql("update jobs set salary = $2 where id = $1", [id, salary]);
    await sweep();
    expect(await messages("jobs", "Quick Change")).toMatchObject([{ edits: 0 }]);
  });

  test("that nobody may see yet is not posted; once taken back its message says so", async () => {
    const id = await insert("Later Job", "'draft', false");
    await insert("No Job", "'active', true");
    await sweep();
    expect(await messages("jobs", "Later Job")).toEqual([]);
    expect(await messages("jobs", "No Job")).toEqual([]);
    await station.sql("update jobs set status = 'active' where id = $1", [id]);
    await sweep();
    await station.sql("update jobs set status = 'draft' where id = $1", [id]);
    await sweep();
    const [message] = await messages("jobs", "Later Job");
    expect(message?.embeds[0]?.fields).toContainEqual(expect.objectContaining({ name: "Status", value: "Draft" }));
  });

  test("whose message was deleted is posted anew", async () => {
    const id = await insert("Deleted Message");
    await sweep();
    const before = await ledger(id);
    // Discord's own address of the message, which holds a token that only the station's secret has.
    const secret = await station.changeSecret({});
    await fetch(
      `${station.vendors.discord}/api/v10/webhooks/${secret.discordJobsWebhook}/messages/${before?.messageId}`,
      {
        method: "DELETE",
      },
    );
    await station.sql("update jobs set salary = 'more' where id = $1", [id]);
    await sweep();
    const found = await messages("jobs", "Deleted Message");
    expect(found).toHaveLength(1);
    expect(found[0]?.id).not.toBe(before?.messageId);
    expect(await station.sql("select discord_message_id from jobs where id = $1", [id])).toEqual([
      { discord_message_id: found[0]?.id },
    ]);
  });

  test("whose post was accepted but never answered is parked, and not posted again by any later update", async () => {
    await station.faults({ acceptThenTimeout: 1 }, "discord");
    const id = await insert("Lost Answer");
    await sweep();
    await station.faults({}, "discord");
    expect(await ledger(id)).toMatchObject({ status: "parked" });
    await station.sql("update jobs set salary = 'more' where id = $1", [id]);
    await sweep();
    expect(await messages("jobs", "Lost Answer")).toHaveLength(1);
    expect((await station.report()).queues["discord-jobs"]?.parked).toBe(2);
  });

  test("meets Discord's limit without being lost or posted twice", async () => {
    const titles = Array.from({ length: 12 }, (_, index) => `Many Jobs ${String.fromCharCode(65 + index)}`);
    for (const title of titles) await insert(title);
    await sweep();
    for (const title of titles) expect(await messages("jobs", `${title} at`)).toHaveLength(1);
    expect(await station.deadLetters("discord-jobs")).toEqual([]);
  });
});

describe("a contribution", () => {
  const insert = (name: string, more: Record<string, unknown> = {}) =>
    idOf(
      `insert into content_submissions (name, description, category, submission_type, author, submitter_email, spam_score)
       values ($1, 'What it is', 'mcp', 'mcp', 'Ada Example', 'ada@example.com', $2) returning id`,
      [name, more.spam_score ?? null],
    );

  test("is told to the team, once and without its sender's address", async () => {
    const id = await insert("New Thing");
    await sweep();
    await station.sql(
      "insert into outbox (queue, payload, group_key) values ('discord-submissions', jsonb_build_object('submission_id', $1::text, 'change', 'INSERT'), $1::text)",
      [id],
    );
    await sweep();
    const found = await messages("submissions", "New Thing");
    expect(found).toMatchObject([{ edits: 0, embeds: [{ title: "🔌 New Thing" }] }]);
    expect(JSON.stringify(await station.calls("discord"))).not.toContain("ada@example.com");
  });

  test("that looks like spam is not told of", async () => {
    await insert("Cheap Pills", { spam_score: 0.9 });
    await sweep();
    expect(await messages("submissions", "Cheap Pills")).toEqual([]);
  });

  test("that was merged waits for its entry, then is announced once: notification, post and card", async () => {
    const id = await insert("Merged Server");
    await sweep();
    await station.sql(
      "update content_submissions set status = 'merged', approved_slug = 'merged-server' where id = $1",
      [id],
    );
    await station.fire("outbox-sweep");
    await vi.waitFor(
      async () => expect((await station.report()).queues["discord-submissions"]?.failing).toBeGreaterThan(0),
      { timeout: 30_000, interval: 200 },
    );
    expect(await messages("announcements", "Merged Server")).toEqual([]);
    const contentId = await idOf(
      `insert into content (category, slug, title, description, author, tags, date_added)
       values ('mcp', 'merged-server', 'Merged Server', 'Serves', 'Ada Example', '{one,two}', '2026-11-24') returning id`,
    );
    await station.advance(180_000);
    await station.quiet();

    expect(await messages("announcements", "Merged Server")).toMatchObject([{ edits: 0 }]);
    expect(await station.sql("select title, action_href from notifications where id = $1", [contentId])).toEqual([
      { title: "Merged Server", action_href: "/mcp/merged-server" },
    ]);
    const cards = await station.vendorState<{ subject: string; params: unknown }>("images", "images");
    expect(cards.filter(({ subject }) => subject === contentId)).toMatchObject([
      { kind: "card", params: { title: "Merged Server", category: "mcp", slug: "merged-server" } },
    ]);
    await station.sql(
      "insert into outbox (queue, payload) values ('discord-submissions', jsonb_build_object('submission_id', $1::text, 'change', 'UPDATE'))",
      [id],
    );
    await sweep();
    expect(await messages("announcements", "Merged Server")).toHaveLength(1);
    expect(await station.sql("select from notifications where id = $1", [contentId])).toHaveLength(1);
  });
});

test("no log line holds a webhook's token or a sender's address", async () => {
  const secret = await station.changeSecret({});
  const tokens = Object.entries(secret).flatMap(([name, value]) =>
    /^discord.*Webhook$/.test(name) ? [value.split("/")[1] ?? ""] : [],
  );
  expect(tokens).toHaveLength(5);
  const logged = readFileSync(join(station.home, "station.log"), "utf8");
  // What was accepted and never answered is among it, so the failures are there too.
  expect(logged).toContain("announcement.posted");
  expect(logged).toContain("provider.failed");
  for (const token of [...tokens, "ada@example.com"]) expect(logged).not.toContain(token);
});
