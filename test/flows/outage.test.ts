import { SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import { providers } from "../../registry/providers.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 300_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const outageSeconds = 300;
const { longestOpenSeconds } = providers.resend.breaker;
/** Far above what arrives, so that little of the machine's own time is spent on waiting. */
const limit = 100;

const nowMs = async () => Date.parse((await station.report()).now);
const lastSeq = async () => (await station.calls()).at(-1)?.seq ?? 0;

/** Messages for people who wait for a mail, numbered from `first`. */
async function arrive(first: number, count: number): Promise<void> {
  const atMs = await nowMs();
  const Entries = Array.from({ length: count }, (_, offset) => {
    const ledgerKey = `outage/${first + offset}`;
    const payload = {
      template: "job-posted",
      to: `outage-${first + offset}@example.com`,
      data: { jobTitle: "Engineer", company: "Example", jobSlug: "engineer" },
      ledgerKey,
    } as const;
    const envelope = makeEnvelope("email", payload, { businessKey: ledgerKey, correlationId: ledgerKey, nowMs: atMs });
    return { Id: String(offset), MessageBody: JSON.stringify(envelope) };
  });
  for (let start = 0; start < count; start += 10)
    await station.sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: station.queueUrl("email"),
        Entries: Entries.slice(start, start + 10),
      }),
    );
}

test("A lone message outlives five minutes without Resend, although its attempts would be used up after two", async () => {
  const email = "lone@example.com";
  await station.faults({ reset: 1 });
  expect((await station.subscribe(email)).status).toBe(202);
  await station.advance(outageSeconds * 1000);
  const refused = await station.calls();
  expect(refused.length).toBeGreaterThan(providers.resend.breaker.failures);
  expect(refused.length).toBeLessThan(12);
  expect((await station.call("/health")).json()).toMatchObject({
    status: "degraded",
    providers_down: [{ provider: "resend" }],
  });

  await station.faults({ limit });
  await station.advance(longestOpenSeconds * 1200);
  expect(await station.outbox(email)).toHaveLength(1);
  const { deadLetters, queues } = await station.report();
  expect(deadLetters).toEqual({});
  expect(queues.subscription).toMatchObject({ received: 1, done: 1 });
  expect((await station.call("/health")).json()).toMatchObject({ status: "ok", providers_down: [] });
});

test("Five minutes without Resend, at a twelfth of 50 messages a second: hardly a call reaches it, then each mail leaves once", async () => {
  const perSecond = 4;
  const total = outageSeconds * perSecond;
  await station.faults({ rate5xx: 1, limit });
  const before = await lastSeq();
  // One second after the other until it is open; then in bursts, which cost less.
  for (let second = 0; second < outageSeconds; ) {
    const seconds = second < 10 ? 1 : 10;
    await arrive(second * perSecond, seconds * perSecond);
    await station.advance(seconds * 1000);
    second += seconds;
  }
  const reached = await station.calls("resend", before);
  expect(new Set(reached.map(({ status }) => status))).toEqual(new Set([500]));
  expect(reached.length).toBeLessThanOrEqual(total / 100);

  const backAtMs = await nowMs();
  await station.faults({ limit });
  await station.advance(2 * longestOpenSeconds * 1000);
  const mails = (await station.outbox()).filter(({ to }) => to[0]?.startsWith("outage-"));
  expect(mails).toHaveLength(total);
  expect(new Set(mails.map(({ to }) => to[0])).size).toBe(total);
  const { deadLetters, queues, troubles } = await station.report();
  expect(deadLetters).toEqual({});
  expect(queues.email).toMatchObject({ received: total, done: total });
  expect(troubles["signal.breaker-open"]).toBe(2);

  // What was put off together comes back spread by up to a fifth.
  const boundSeconds = total / limit + longestOpenSeconds * 1.2 + 10;
  const lastMs = Date.parse((await station.calls("resend", before)).at(-1)?.at ?? "");
  expect((lastMs - backAtMs) / 1000).toBeLessThan(boundSeconds);
});
