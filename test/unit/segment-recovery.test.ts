import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import type { MessageSender } from "../../lambdas/runtime/message-sender.ts";
import { recoverLater } from "../../lambdas/tasks/segment-sync/recover-later.ts";
import { createSegmentRecoveryHandler } from "../../lambdas/workers/segment-recovery.ts";
import { createSegmentSyncHandler } from "../../lambdas/workers/segment-sync.ts";
import { config } from "../../station.config.ts";

beforeEach(() => vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT"));
afterEach(() => vi.unstubAllEnvs());

const subscriptionId = "5f0c7c2e-9d1b-4a57-8f5e-7a3f0f3b0a11";
const firstSeenAt = "2026-03-02T09:00:00.000Z";
const inert = () => {
  throw new Error("nobody may call this");
};

test("a contact that comes back again and again keeps the age and the correlation of the message that brought it first", async () => {
  let nowMs = Date.parse(firstSeenAt);
  const sent: { queue: string; id: string; firstSeenAt: string; occurredAt: string; correlationId: string }[] = [];
  const sender: MessageSender = {
    sendAll: inert,
    send: async (queue, envelope) => {
      sent.push({ queue, ...envelope });
    },
  };
  const recover = recoverLater({
    supabase: { call: inert },
    resend: new Proxy({} as never, { get: inert }),
    sender,
    states: { read: inert, markDirty: inert, markClean: inert },
    segmentIds: config.resend.segments,
    now: () => nowMs,
  });
  // Resend refuses each time: the run ends in the task that leaves the contact for recovery.
  const sync = createSegmentSyncHandler({
    workflows: {
      start: inert,
      run: async (_workflow, input) => {
        await recover(input, { execution: "run", remainingMs: () => 10_000 });
      },
    },
  });
  const recovery = createSegmentRecoveryHandler({ sender, now: () => nowMs });

  let envelope = makeEnvelope("segment-sync", { subscriptionId }, { businessKey: "b", correlationId: "c", nowMs });
  for (let round = 1; round <= 3; round += 1) {
    await sync(envelope);
    nowMs += 60_000;
    const left = sent.at(-1);
    await recovery({ ...envelope, id: left?.id ?? "", type: "segment-recovery", firstSeenAt: left?.firstSeenAt ?? "" });
    const back = sent.at(-1);
    envelope = { ...envelope, id: back?.id ?? "", firstSeenAt: back?.firstSeenAt ?? "" };
  }
  expect(sent.map(({ queue }) => queue)).toEqual(
    Array.from({ length: 3 }, () => ["segment-recovery", "segment-sync"]).flat(),
  );
  expect(new Set(sent.map((each) => each.firstSeenAt))).toEqual(new Set([firstSeenAt]));
  expect(new Set(sent.map(({ correlationId }) => correlationId))).toEqual(new Set(["c"]));
  expect(new Set(sent.map(({ id }) => id)).size).toBe(6);
  expect(sent.at(-1)?.occurredAt).toBe("2026-03-02T09:03:00.000Z");
});
