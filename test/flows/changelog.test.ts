import { existsSync, readFileSync } from "node:fs";
import { CreateQueueCommand, DeleteQueueCommand, GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import { exampleRepository } from "../../local/vendors/github/example-repository.ts";
import { send } from "./http.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

const realComparison = new URL("../../../shared/data/github-compare.json", import.meta.url);
const isReal = existsSync(realComparison);
if (!isReal) process.stderr.write("changelog flow: no real comparison here, the example repository is used instead\n");

type Commit = { sha: string; commit: { message: string } };
const repository: { base_commit: Commit; commits: Commit[] } = isReal
  ? JSON.parse(readFileSync(realComparison, "utf8"))
  : exampleRepository();
const shas = [repository.base_commit, ...repository.commits].map(({ sha }) => sha);
const newest = shas.length - 1;

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
  const answer = await send(`${station.vendors.github}/_content`, {
    method: "PUT",
    body: { owner: "example", repo: "directory", ...repository },
  });
  expect(answer.status).toBe(200);
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());
afterEach(async () => {
  await station.faults({}, "github");
});

let events = 0;
/** A Vercel event as its webhook carries it; `from` and `to` count the repository's commits. */
function deployment({ from, to, ...more }: { from?: number; to: number; target?: string | null; branch?: string }) {
  events += 1;
  const createdAt = Date.parse("2026-11-24T12:00:00Z") + events * 60_000;
  const { target = "production", branch = "main" } = more;
  return {
    id: `evt_${events}`,
    type: "deployment.succeeded",
    createdAt,
    payload: {
      target,
      project: { id: "prj_1" },
      deployment: {
        id: `dpl_test${String(events).padStart(6, "0")}`,
        url: "directory.example.com",
        meta: {
          branch,
          commitId: shas[to] ?? "",
          ...(from === undefined ? {} : { previousCommitId: shas[from] ?? "" }),
        },
      },
    },
  };
}
type Deployment = ReturnType<typeof deployment>;

const about = (key: string) => ({ businessKey: key, correlationId: `test-${key}`, nowMs: Date.now() });
const deliver = (event: Deployment) =>
  station.enqueue(
    "webhook-events",
    makeEnvelope(
      "webhook-events",
      {
        source: "vercel",
        dedupeKey: event.id,
        type: event.type,
        occurredAt: new Date(event.createdAt).toISOString(),
        data: event,
      },
      about(event.id),
    ),
  );
const entryOf = async (event: Deployment) => {
  const [entry] = await station.sql<{
    id: string;
    slug: string;
    title: string;
    commit_count: number;
    changes: object[];
  }>("select id, slug, title, commit_count, changes from changelog where deployment_id = $1", [
    event.payload.deployment.id,
  ]);
  return entry;
};
type Message = { webhook: string; edits: number; embeds: { title: string; url: string }[] };
const postsOf = async (slug: string) =>
  (await station.vendorState<Message>("discord", "messages")).filter(({ embeds }) =>
    embeds[0]?.url.endsWith(`/changelog/${slug}`),
  );
const notificationsOf = (entryId: string) =>
  station.sql("select title, priority, action_href from notifications where id = $1", [entryId]);

test("real commits make one entry, one Discord post and one notification, however often they are delivered", async () => {
  const event = deployment({ from: 0, to: newest });
  await Promise.all([deliver(event), deliver(event)]);
  await station.quiet();
  await deliver(event);
  await station.quiet();
  const entry = await entryOf(event);
  if (!entry) throw new Error("there is no entry");
  const [{ id: eventId } = { id: "" }] = await station.sql("select id from webhook_events where dedupe_key = $1", [
    event.id,
  ]);
  for (let time = 0; time < 2; time += 1) {
    await station.enqueue(
      "changelog-process",
      makeEnvelope("changelog-process", { webhook_event_id: eventId }, about(eventId)),
    );
    await station.enqueue(
      "changelog-notify",
      makeEnvelope("changelog-notify", { entry_id: entry.id }, about(entry.id)),
    );
  }
  await station.quiet();

  expect(await station.sql("select from changelog")).toHaveLength(1);
  expect(entry).toMatchObject({ slug: "2026-11-24-000001", commit_count: newest });
  expect(entry.changes.length).toBeGreaterThan(0);
  expect(await postsOf(entry.slug)).toMatchObject([
    { webhook: "changelog", edits: 0, embeds: [{ title: entry.title }] },
  ]);
  expect((await station.calls("discord")).filter(({ method }) => method === "POST")).toHaveLength(1);
  expect(await notificationsOf(entry.id)).toEqual([
    { title: entry.title, priority: "high", action_href: `/changelog/${entry.slug}` },
  ]);
  expect(await station.sql("select processed, related_id from webhook_events where id = $1", [eventId])).toEqual([
    { processed: true, related_id: entry.id },
  ]);
  expect(await station.deadLetters("changelog-process")).toEqual([]);
});

test.each([
  ["a preview", { target: null }],
  ["another branch", { branch: "feature" }],
])("%s makes no entry, even when its event is put on the queue", async (_what, more) => {
  const event = deployment({ from: 0, to: newest, ...more });
  await deliver(event);
  await station.quiet();
  const rows = await station.sql<{ id: string }>(
    "insert into webhook_events (source, dedupe_key, type, data, received_at) values ('vercel', $1, $2, $3, now()) returning id",
    [`${event.id}-unprocessed`, event.type, JSON.stringify(event)],
  );
  const id = rows[0]?.id ?? "";
  await station.enqueue("changelog-process", makeEnvelope("changelog-process", { webhook_event_id: id }, about(id)));
  await station.quiet();
  expect(await entryOf(event)).toBeUndefined();
  expect(await station.sql("select processed from webhook_events where id = $1", [id])).toEqual([{ processed: true }]);
});

test("a deployment that names no earlier commit is compared with the deployment before it", async () => {
  const change =
    repository.commits.findLastIndex(({ commit }) => /^(?:feat|fix)(?:\(.*?\))?: /.test(commit.message)) + 1;
  await deliver(deployment({ to: change - 1 }));
  await station.quiet();
  const event = deployment({ to: change });
  await deliver(event);
  await station.quiet();
  expect(await entryOf(event)).toMatchObject({ commit_count: 1 });
});

test("an event that failed is worked on again when it comes back, and is no duplicate", async () => {
  await station.faults({ rate5xx: 1 }, "github");
  const event = deployment({ from: 0, to: newest });
  await deliver(event);
  await vi.waitFor(
    async () =>
      expect(await station.sql("select error from webhook_events where dedupe_key = $1", [event.id])).toEqual([
        { error: expect.stringContaining("GitHub") },
      ]),
    { timeout: 30_000, interval: 200 },
  );
  await station.faults({}, "github");
  await station.advance(120_000);
  const entry = await entryOf(event);
  expect(entry).toBeDefined();
  expect(await postsOf(entry?.slug ?? "")).toHaveLength(1);
});

test("an entry whose announcement cannot be queued is announced later, and stays one", async () => {
  const QueueUrl = station.queueUrl("changelog-notify");
  const { Attributes = {} } = await station.sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["VisibilityTimeout", "MessageRetentionPeriod"] }),
  );
  await station.sqs.send(new DeleteQueueCommand({ QueueUrl }));
  const event = deployment({ from: 0, to: newest });
  await deliver(event);
  await vi.waitFor(
    async () =>
      expect(
        await station.sql("select processed, error from webhook_events where dedupe_key = $1", [event.id]),
      ).toEqual([{ processed: false, error: expect.stringMatching(/queue/i) }]),
    { timeout: 30_000, interval: 200 },
  );
  const entry = await entryOf(event);
  if (!entry) throw new Error("there is no entry");
  expect(await postsOf(entry.slug)).toEqual([]);

  await station.sqs.send(new CreateQueueCommand({ QueueName: QueueUrl.split("/").at(-1), Attributes }));
  await station.advance(180_000);
  await station.quiet();
  expect(await entryOf(event)).toEqual(entry);
  expect(await postsOf(entry.slug)).toMatchObject([{ edits: 0, embeds: [{ title: entry.title }] }]);
  expect(await notificationsOf(entry.id)).toHaveLength(1);
  expect(await station.sql("select processed, error from webhook_events where dedupe_key = $1", [event.id])).toEqual([
    { processed: true, error: null },
  ]);
});

test("an event that does not exist is dead-lettered", async () => {
  const id = "00000000-0000-4000-8000-000000000000";
  await station.enqueue("changelog-process", makeEnvelope("changelog-process", { webhook_event_id: id }, about(id)));
  await station.quiet();
  expect(await station.deadLetters("changelog-process")).toMatchObject([
    { attributes: { reason: expect.stringContaining("no webhook event") } },
  ]);
});
