import { randomUUID } from "node:crypto";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Envelope, makeEnvelope, type Payload } from "../../lambdas/core/messages.ts";
import { exampleRepository } from "../../local/vendors/github/example-repository.ts";
import { type QueueName, queues } from "../../registry/queues.ts";
import { effects } from "./effects.ts";
import { send } from "./http.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const idOf = async (text: string, values: unknown[] = []): Promise<string> => {
  const [row] = await station.sql<{ id: string }>(text, values);
  if (!row) throw new Error(`no row came of ${text}`);
  return row.id;
};

const subscription = async (email: string): Promise<string> => {
  await station.subscribe(email);
  await station.quiet();
  return idOf("select id from newsletter_subscriptions where email = $1", [email]);
};

const content = () =>
  idOf(
    `insert into content (category, slug, title, description, author, tags, date_added)
     values ('skills', $1, 'Title', 'Description', 'Ada Example', '{one}', '2026-11-24') returning id`,
    [`entry-${randomUUID()}`],
  );

/** The stored event of a release that nobody has worked on. */
async function releaseEvent(): Promise<string> {
  const repository = exampleRepository();
  await send(`${station.vendors.github}/_content`, { method: "PUT", body: repository });
  const commits = [repository.base_commit, ...repository.commits];
  const event = {
    id: `evt_${randomUUID()}`,
    type: "deployment.succeeded",
    createdAt: Date.parse("2026-11-24T12:00:00Z"),
    payload: {
      target: "production",
      deployment: {
        id: `dpl_${randomUUID().replaceAll("-", "")}`,
        url: "directory.example.com",
        meta: { branch: "main", commitId: commits.at(-1)?.sha, previousCommitId: commits[0]?.sha },
      },
    },
  };
  return idOf(
    `insert into webhook_events (source, dedupe_key, type, data, received_at)
     values ('vercel', $1, $2, $3, now()) returning id`,
    [event.id, event.type, event],
  );
}

/** The recovery sweep's effects are on AWS itself: holds.test.ts and stuck-runs.test.ts repeat it. */
type QueueWithEffects = Exclude<QueueName, "recovery-sweep">;

/** A message of each queue that has an effect of its own, made when it is its turn. */
const messages: { [Q in QueueWithEffects]: () => Promise<Payload<Q>> | Payload<Q> } = {
  subscription: () => ({ kind: "subscribe", email: "twice@example.com", source: "footer" }),
  email: () => ({
    template: "job-posted",
    to: "poster@example.com",
    data: { jobTitle: "Cook", company: "Canteen", jobSlug: "cook" },
    ledgerKey: "job-posted/second-delivery",
  }),
  "webhook-events": () => ({
    source: "resend",
    dedupeKey: "msg_second_delivery",
    type: "email.bounced",
    occurredAt: "2026-11-24T10:00:00.000Z",
    data: {
      type: "email.bounced",
      created_at: "2026-11-24T10:00:00.000Z",
      data: {
        email_id: randomUUID(),
        to: ["bounced@example.com"],
        created_at: "2026-11-24T10:00:00.000Z",
        bounce: { type: "Permanent", subType: "General", message: "No such mailbox" },
      },
    },
  }),
  "outbox-sweep": async () => {
    await station.sql(
      "insert into outbox (queue, payload) values ('embedding-generation', jsonb_build_object('content_id', $1::text))",
      [await content()],
    );
    return {};
  },
  revalidation: () => ({
    table: "content",
    change: "UPDATE",
    current: { category: "mcp", slug: "calendar", tags: [] },
  }),
  pulse: () => ({ event_id: "pulse-1", content_type: "mcp", content_slug: "calendar", interaction_type: "view" }),
  "segment-sync": async () => {
    const subscriptionId = await subscription("moved@example.com");
    await station.sql("update newsletter_subscriptions set engagement_score = 90 where id = $1", [subscriptionId]);
    return { subscriptionId };
  },
  "segment-recovery": async () => {
    const subscriptionId = await subscription("recovered@example.com");
    await station.sql("update newsletter_subscriptions set engagement_score = 90 where id = $1", [subscriptionId]);
    return { subscriptionId };
  },
  "changelog-process": async () => ({ webhook_event_id: await releaseEvent() }),
  "changelog-notify": async () => ({
    entry_id: await idOf(
      `insert into changelog (slug, title, changes, release_date, content, raw_content, published)
       values ('second', 'Second', '[{"title": "Added", "items": ["this"]}]', '2026-11-24', 'New', 'New', true)
       returning id`,
    ),
  }),
  "discord-jobs": async () => ({
    job_id: await idOf(
      `insert into jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ('second', 'Second', 'Example', 'What there is', 'engineering', 'https://example.com', 'active', false)
       returning id`,
    ),
    change: "INSERT",
  }),
  "discord-submissions": async () => ({
    submission_id: await idOf(
      "insert into content_submissions (submission_type, name, description, category, author, submitter_email) values ('skills', 'Second', 'What it does', 'skills', 'Ada Example', 'ada@example.com') returning id",
    ),
    change: "INSERT",
  }),
  "embedding-generation": async () => ({ content_id: await content() }),
  "image-generation": () => ({ type: "card", content_id: "c1", params: { title: "A card" } }),
  "package-generation": async () => ({ content_id: await content(), category: "skills", slug: "a-skill" }),
};

const envelopeFor = <Q extends QueueName>(queue: Q, payload: Payload<Q>): Envelope<Payload<Q>> =>
  makeEnvelope(queue, payload, {
    businessKey: `second-delivery/${queue}`,
    correlationId: "second-delivery",
    nowMs: Date.now(),
  });

let deliveries = 0;
/** SQS may deliver a message again that was carried out and deleted; here it is put there again. */
async function deliver(queue: QueueName, envelope: Envelope): Promise<void> {
  deliveries += 1;
  await station.sqs.send(
    new SendMessageCommand({
      QueueUrl: station.queueUrl(queue),
      MessageBody: JSON.stringify(envelope),
      ...(queues[queue].fifo
        ? { MessageGroupId: envelope.businessKey, MessageDeduplicationId: `delivery-${deliveries}` }
        : {}),
    }),
  );
  await station.quiet();
}

test.each(Object.keys(messages) as QueueWithEffects[])(
  "a message on %s that is delivered again has no second effect",
  async (queue) => {
    const envelope = envelopeFor(queue, (await messages[queue]()) as never);
    const before = await effects(station);
    await deliver(queue, envelope);
    const once = await effects(station);
    expect(once, "the first delivery has an effect").not.toEqual(before);

    await deliver(queue, envelope);
    await deliver(queue, envelope);
    expect(await effects(station)).toEqual(once);
    expect(await station.deadLetters(queue)).toEqual([]);
  },
);
