import { setTimeout as sleep } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ManagedSegment, segmentForScore } from "../../lambdas/core/engagement.ts";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import { config } from "../../station.config.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

const { segments } = config.resend;
const managed = Object.entries(segments).filter(([name]) => name.endsWith("-engagement"));

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

interface Reader {
  email: string;
  subscriptionId: string;
  contactId: string;
}

/** Somebody who signed up in the footer: a score of 55, which is medium. */
async function subscribed(email: string): Promise<Reader> {
  await station.subscribe(email, { source: "footer" });
  await station.quiet();
  const [row] = await station.sql<{ id: string; resend_contact_id: string }>(
    "select id, resend_contact_id from newsletter_subscriptions where email = $1",
    [email],
  );
  if (!row) throw new Error(`${email} was not subscribed`);
  expect(await segmentsOf(email)).toEqual(["medium-engagement"]);
  return { email, subscriptionId: row.id, contactId: row.resend_contact_id };
}

async function segmentsOf(email: string): Promise<string[]> {
  const contact = await station.contact(email);
  return managed.filter(([, id]) => contact?.segments.includes(id)).map(([name]) => name);
}

const setScore = (email: string, score: number) =>
  station.sql("update newsletter_subscriptions set engagement_score = $2 where email = $1", [email, score]);

/** What the pulse worker sends when a score crossed a line. */
async function tellOfChange(subscriptionId: string): Promise<void> {
  const about = { businessKey: subscriptionId, correlationId: "a-test", nowMs: Date.now() };
  const envelope = makeEnvelope("segment-sync", { subscriptionId }, about);
  await station.sqs.send(
    new SendMessageCommand({
      QueueUrl: station.queueUrl("segment-sync"),
      MessageBody: JSON.stringify(envelope),
      MessageGroupId: subscriptionId,
      MessageDeduplicationId: envelope.id,
    }),
  );
}

const lastSeq = async () => (await station.calls()).at(-1)?.seq ?? 0;
/** Calls about a contact's segments, as `POST high-engagement`; a list is `GET`. */
async function segmentCalls({ contactId }: Reader, after: number): Promise<string[]> {
  const calls = (await station.calls("resend", after)).filter(({ path }) => path.includes(`${contactId}/segments`));
  return calls.map(({ method, path }) => {
    const segment = managed.find(([, id]) => path.endsWith(id));
    return segment ? `${method} ${segment[0]}` : method;
  });
}
const move = (from: ManagedSegment, to: ManagedSegment) => [`POST ${to}`, `DELETE ${from}`];

test("a score that rises above 70 moves the contact, which is never in no segment on the way", async () => {
  const reader = await subscribed("ada@example.com");
  const user = crypto.randomUUID();
  await station.sql("insert into users (id, email) values ($1, $2)", [user, reader.email]);
  const copy = { user_id: user, interaction_type: "copy", content_type: "rules", content_slug: "sql-style" };
  const after = await lastSeq();

  await station.callInternal("/pulse", { body: { ...copy, event_id: "copy-1" } });
  await station.quiet();
  expect(await segmentsOf(reader.email)).toEqual(["medium-engagement"]);
  expect(await segmentCalls(reader, after)).toEqual([]);

  await station.callInternal("/pulse", {
    body: { ...copy, event_id: "copy-2" },
    headers: { "x-correlation-id": "the-second-copy" },
  });
  await station.quiet();
  expect(await segmentsOf(reader.email)).toEqual(["high-engagement"]);
  // Nothing is known of the contact yet, so it is looked at first.
  expect(await segmentCalls(reader, after)).toEqual(["GET", ...move("medium-engagement", "high-engagement")]);
  // From the request over the queue of interactions, that of contacts and the workflow to the vendor.
  const correlationIds = (await station.calls("resend", after)).map(({ correlationId }) => correlationId);
  expect(new Set(correlationIds)).toEqual(new Set(["the-second-copy"]));
  expect(
    await station.sql(
      "select segment_target, engagement_score, retry_attempt, resend_status from segment_sync_evidence where contact_id = $1",
      [reader.contactId],
    ),
  ).toEqual([{ segment_target: "high-engagement", engagement_score: 71, retry_attempt: 0, resend_status: "applied" }]);
});

test("what is known is not asked again: a further move is two calls, and no change is none", async () => {
  const reader = await subscribed("bea@example.com");
  await setScore(reader.email, 90);
  await tellOfChange(reader.subscriptionId);
  await station.quiet();
  await setScore(reader.email, 10);
  const after = await lastSeq();
  await tellOfChange(reader.subscriptionId);
  await station.quiet();
  expect(await segmentCalls(reader, after)).toEqual(move("high-engagement", "low-engagement"));
  await tellOfChange(reader.subscriptionId);
  await station.quiet();
  expect(await segmentCalls(reader, after)).toHaveLength(2);
});

test("two changes of one contact at once end in the segment of its present score", async () => {
  const reader = await subscribed("cyd@example.com");
  await setScore(reader.email, 95);
  const first = tellOfChange(reader.subscriptionId);
  const second = setScore(reader.email, 5).then(() => tellOfChange(reader.subscriptionId));
  await Promise.all([first, second]);
  await station.quiet();
  expect(await segmentsOf(reader.email)).toEqual(["low-engagement"]);
});

/** The contact's managed segments after each call that Resend carried out, from these on. */
async function segmentsAfterEachCall({ contactId }: Reader, from: string[], after: number): Promise<string[][]> {
  const present = new Set(from);
  const calls = (await station.calls("resend", after)).filter(
    ({ path, method, status }) => path.includes(`${contactId}/segments`) && method !== "GET" && status === 200,
  );
  return calls.map(({ method, path }) => {
    const [name = path] = managed.find(([, id]) => path.endsWith(id)) ?? [];
    if (method === "POST") present.add(name);
    else present.delete(name);
    return [...present];
  });
}

test("fifty changes of one contact at once end in the one right segment, never in none on the way; no change costs no call", async () => {
  const reader = await subscribed("fay@example.com");
  const scores = [95, 5, 55, 72, 39, 40, 69, 100, 0, 50];
  const after = await lastSeq();
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      await setScore(reader.email, scores[index % scores.length] ?? 50);
      await tellOfChange(reader.subscriptionId);
    }),
  );
  await station.quiet();
  const [row] = await station.sql<{ score: number }>(
    "select engagement_score as score from newsletter_subscriptions where email = $1",
    [reader.email],
  );
  expect(await segmentsOf(reader.email)).toEqual([segmentForScore(row?.score ?? -1)]);
  const onTheWay = await segmentsAfterEachCall(reader, ["medium-engagement"], after);
  expect(onTheWay.filter((present) => present.length === 0)).toEqual([]);
  expect((await station.report()).queues["segment-sync"]).toMatchObject({ failing: 0, invalid: 0 });

  const settled = await lastSeq();
  await Promise.all(Array.from({ length: 50 }, () => tellOfChange(reader.subscriptionId)));
  await station.quiet();
  expect(await segmentCalls(reader, settled)).toEqual([]);
});

test("while Resend is down a change waits as a message of its own, and is made up for", async () => {
  const reader = await subscribed("dan@example.com");
  await setScore(reader.email, 80);
  await station.faults({ rate5xx: 1 });
  await tellOfChange(reader.subscriptionId);
  await untilMessageWaits();
  expect(await segmentsOf(reader.email)).toEqual(["medium-engagement"]);
  expect((await station.report()).queues["segment-sync"]).toMatchObject({ failing: 0, invalid: 0 });

  await station.faults({});
  const startedMs = performance.now();
  await station.advance(61_000);
  // Time was moved to when the message is due, nobody waited for it.
  expect(performance.now() - startedMs).toBeLessThan(50_000);
  expect(await segmentsOf(reader.email)).toEqual(["high-engagement"]);
  expect((await station.report()).queues["segment-recovery"]).toMatchObject({ done: 1, failing: 0 });
});

test("a change cut off between adding and removing, after which the score goes back, leaves one segment", async () => {
  const reader = await subscribed("eve@example.com");
  // From here on the contact is known to be in the middle; only the mark that a change has begun says otherwise.
  for (const score of [80, 55]) {
    await setScore(reader.email, score);
    await tellOfChange(reader.subscriptionId);
    await station.quiet();
  }
  expect(await segmentsOf(reader.email)).toEqual(["medium-engagement"]);
  await setScore(reader.email, 80);
  // Slow, so that Resend can be taken down while the answer to the first change is still out.
  await station.faults({ latencyMs: 1500 });
  await tellOfChange(reader.subscriptionId);
  while ((await segmentsOf(reader.email)).length < 2) await sleep(20);
  await station.faults({ rate5xx: 1 });
  await untilMessageWaits();
  expect(await segmentsOf(reader.email)).toEqual(["high-engagement", "medium-engagement"]);

  await setScore(reader.email, 55);
  await station.faults({});
  const after = await lastSeq();
  await station.advance(61_000);
  expect(await segmentsOf(reader.email)).toEqual(["medium-engagement"]);
  expect(await segmentCalls(reader, after)).toEqual(["GET", "DELETE high-engagement"]);
});

/** Until a run has given up for now and left its contact for recovery. */
async function untilMessageWaits(): Promise<void> {
  for (;;) {
    const { pending } = await station.report();
    if (Object.keys(pending).join() === "messages on prod-flux-segment-recovery") return;
    await sleep(50);
  }
}
