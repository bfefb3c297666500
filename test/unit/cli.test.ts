import { describe, expect, test } from "vitest";
import { createFilter } from "../../cli/dlq/filter.ts";
import { groupLetters } from "../../cli/dlq/groups.ts";
import { settleAnnouncement, settleMail } from "../../cli/ledger/settlement.ts";
import { UsageError } from "../../cli/operator-error.ts";
import { redact } from "../../cli/redact.ts";
import type { AnnouncementRecord } from "../../lambdas/core/announcement.ts";
import { idempotencyMemoryMs, type LedgerRecord } from "../../lambdas/core/ledger.ts";
import { ledgerUseOf } from "../../lambdas/core/ledger-keys.ts";

const id = "0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001";
const letter = {
  queue: "email" as const,
  id,
  messageId: "m-1234567",
  envelope: {
    id,
    type: "email",
    correlationId: "c",
    businessKey: "key, with comma",
    firstSeenAt: "2026-11-24T09:00:00.000Z",
    payload: {},
  },
  errorName: "ProviderUnavailable",
  reason: "no answer",
  fingerprint: "abc",
  attempts: 5,
  firstSeenAt: "2026-11-24T09:00:00.000Z",
  lastFailedAt: "2026-11-24T10:00:00.000Z",
};

describe("--where", () => {
  const matches = (where: string[], ids: string[] = []) => createFilter(ids, where)(letter);

  test("takes every condition together, repeated or with commas between", () => {
    expect(matches(["fingerprint=abc"])).toBe(true);
    expect(matches(["fingerprint=abc,error=ProviderUnavailable", "type=email"])).toBe(true);
    expect(matches(["fingerprint=abc,error=Other"])).toBe(false);
    expect(matches(["businessKey=key, with comma"])).toBe(true);
    expect(matches([])).toBe(true);
  });

  test("compares times with the last failure", () => {
    expect(matches(["before=2026-11-24T10:00:01Z,after=2026-11-24T09:59:59Z"])).toBe(true);
    expect(matches(["before=2026-11-24T09:59:59Z"])).toBe(false);
    expect(createFilter([], ["before=2026-11-24T09:00:01Z"])({ ...letter, lastFailedAt: null })).toBe(true);
  });

  test("takes ids by their beginning, if that is long enough to be no coincidence", () => {
    expect(matches([], [id])).toBe(true);
    expect(matches([], ["0b0a8a"])).toBe(true);
    expect(matches([], ["m-1234567"])).toBe(true);
    expect(matches([], ["0b0a8"])).toBe(false);
    expect(matches(["id=0b0a8a2e"], ["other"])).toBe(false);
  });

  test.each(["colour=red", "fingerprint", "fingerprint=", "before=yesterday"])(
    "refuses %s with a sentence",
    (where) => {
      expect(() => matches([where])).toThrow(UsageError);
    },
  );
});

test("dead letters of one queue and fingerprint are one group, with the extremes of their times and attempts", () => {
  const groups = groupLetters([
    letter,
    { ...letter, id: "b", attempts: 3, firstSeenAt: "2026-11-24T08:00:00.000Z", lastFailedAt: null },
    { ...letter, id: "c", fingerprint: "other" },
    { ...letter, id: "d", queue: "pulse" },
  ]);
  expect(groups.map(({ queue, fingerprint, count }) => [queue, fingerprint, count])).toEqual([
    ["email", "abc", 2],
    ["email", "other", 1],
    ["pulse", "abc", 1],
  ]);
  expect(groups[0]).toMatchObject({
    attempts: { fewest: 3, most: 5 },
    firstSeenAt: "2026-11-24T08:00:00.000Z",
    lastFailedAt: "2026-11-24T10:00:00.000Z",
    exampleId: id,
  });
});

test("what is shown holds neither addresses nor one-time credentials", () => {
  const shown = redact({
    to: "Jane <jane.doe+x@mail.example.com>",
    reasons: ["refused a@b.example and c@d.example"],
    data: { link: "https://example.com/verify?token=1", code: "123456", title: "Kept" },
    sent: 3,
    none: null,
  });
  expect(shown).toEqual({
    to: "Jane <j***@mail.example.com>",
    reasons: ["refused a***@b.example and c***@d.example"],
    data: { link: "[hidden]", code: "[hidden]", title: "Kept" },
    sent: 3,
    none: null,
  });
});

describe("settling", () => {
  const nowMs = Date.parse("2026-11-24T09:00:00Z");
  const mail: LedgerRecord = {
    key: "digest/2026-W48/3",
    status: "parked",
    payloadHash: "h",
    firstAttemptMs: nowMs - 3_600_000,
    attempts: 2,
    providerIds: [],
    reason: "r",
  };
  const about = { mails: 3, note: "n", nowMs };

  test("a batch found to be sent counts all its mails as sent", () => {
    expect(settleMail(mail, "sent", about)).toMatchObject({
      changes: { status: "accepted", providerIds: Array(3).fill("settled-by-operator"), reason: "n" },
    });
  });

  test("one found to be unsent begins anew, with a warning while the provider still knows its key", () => {
    const settled = settleMail(mail, "unsent", about);
    expect(settled).toMatchObject({ changes: { status: "claimed", firstAttemptMs: null, attempts: 3 } });
    expect(settled).toMatchObject({ advice: expect.stringContaining("Until 2026-11-25T08:00:00.000Z") });
    expect(settleMail({ ...mail, firstAttemptMs: 0 }, "unsent", about)).toMatchObject({
      advice: "It may be sent again.",
    });
  });

  test("an attempt that nobody can repeat any more counts as parked, one that may still be repeated does not", () => {
    const sending = { ...mail, status: "sending" as const };
    expect(settleMail(sending, "sent", about)).toMatchObject({ refusal: expect.stringContaining("Redrive") });
    const old = { ...sending, firstAttemptMs: nowMs - idempotencyMemoryMs - 1 };
    expect(settleMail(old, "sent", about)).toMatchObject({ changes: { status: "accepted" } });
  });

  test.each(["accepted", "delivered", "bounced", "complained"] as const)("what is %s is settled already", (status) => {
    expect(settleMail({ ...mail, status }, "unsent", about)).toHaveProperty("refusal");
  });

  test("what was refused may be freed, and nothing else", () => {
    const refused = { ...mail, status: "refused" as const };
    expect(settleMail(refused, "unsent", about)).toMatchObject({ changes: { status: "claimed" } });
    expect(settleMail(refused, "sent", about)).toHaveProperty("refusal");
  });

  test("an announcement takes the id of the message that was found", () => {
    const post: AnnouncementRecord = {
      key: "discord/job/1",
      status: "parked",
      messageId: null,
      messageHash: "h",
      attemptedMs: 1,
      reason: "r",
    };
    expect(settleAnnouncement(post, "sent", { messageId: "9", note: "n" })).toMatchObject({
      changes: { status: "accepted", messageId: "9", attemptedMs: null },
    });
    expect(settleAnnouncement(post, "unsent", { messageId: null, note: "n" })).toMatchObject({
      changes: { status: "claimed", messageId: null },
    });
    expect(
      settleAnnouncement({ ...post, status: "accepted" }, "unsent", { messageId: null, note: "n" }),
    ).toHaveProperty("refusal");
  });
});

describe("what a message has to do with the ledger", () => {
  test.each([
    ["subscription", { kind: "welcome", subscriptionId: id }, { kind: "mail", key: `welcome/${id}` }],
    ["subscription", { kind: "subscribe", email: "A@example.com" }, { kind: "welcome-of", email: "a@example.com" }],
    ["subscription", { kind: "unsubscribe", subscriptionId: id, reason: "page" }, { kind: "none" }],
    ["discord-jobs", { job_id: id, change: "UPDATE" }, { kind: "announcement", key: `discord/job/${id}` }],
    ["discord-submissions", { submission_id: id, change: "UPDATE" }, { kind: "content-of", submissionId: id }],
    ["changelog-notify", { entry_id: id }, { kind: "announcement", key: `discord/changelog/${id}` }],
    ["segment-sync", { subscriptionId: id }, { kind: "none" }],
    ["segment-sync", { subscriptionId: 7 }, undefined],
    ["email", {}, undefined],
  ] as const)("%s %j", (queue, payload, use) => {
    expect(ledgerUseOf(queue, payload)).toEqual(use);
  });
});
