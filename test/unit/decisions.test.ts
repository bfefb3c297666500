import { describe, expect, test } from "vitest";
import { backoffSeconds, deferralSeconds } from "../../lambdas/core/backoff.ts";
import {
  initialScore,
  managedSegments,
  planSegmentChange,
  segmentCalls,
  segmentForScore,
} from "../../lambdas/core/engagement.ts";
import { fingerprint } from "../../lambdas/core/failure.ts";
import { primaryInterest, topicsForInterest } from "../../lambdas/core/interests.ts";
import { deadLetterUrlVariable, queueUrlVariable, workflowArnVariable } from "../../lambdas/core/names.ts";
import { Deferred, InvalidInput, MissingConfiguration, PermanentFailure } from "../../lambdas/core/outcome.ts";
import {
  IdempotencyMismatch,
  ProviderMisconfigured,
  ProviderRefused,
  ProviderUnavailable,
  QuotaExceeded,
  RateLimited,
} from "../../lambdas/core/provider-failure.ts";
import { entriesOf, mapRecord } from "../../lambdas/core/record.ts";
import { subscriptionOfToken, unsubscribeLink } from "../../lambdas/core/unsubscribe-link.ts";

describe("the pause after a failed attempt", () => {
  test("doubles, and stays within SQS's 15 minutes", () => {
    const pauses = Array.from({ length: 12 }, (_, index) => backoffSeconds(index + 1, 5, 0));
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]);
  });

  test("is spread by up to a fifth, and is never nothing", () => {
    expect(backoffSeconds(3, 30, 0.999)).toBe(144);
    expect(backoffSeconds(1, 0.01, 0)).toBe(1);
  });

  test("a deferral lasts until its time is there, rounded up, within 1 to 900 seconds", () => {
    expect([10_001, 11_000, 10_000, 9_000, 5_000_000].map((untilMs) => deferralSeconds(untilMs, 10_000, 0))).toEqual([
      1, 1, 1, 1, 900,
    ]);
    expect(deferralSeconds(12_001, 10_000, 0)).toBe(3);
  });

  test("a long deferral is spread by up to a fifth, a short one is not", () => {
    expect([1000, 4000, 15_000, 300_000].map((untilMs) => deferralSeconds(untilMs, 0, 0.999))).toEqual([1, 4, 17, 359]);
  });
});

describe("engagement", () => {
  test.each([
    [null, null, 50],
    ["post_copy", "code", 75],
    ["modal", null, 45],
    ["footer", "llmstxt", 60],
    ["constructor", "__proto__", 50],
  ])("a sign-up by %s with a copy of %s starts at %i", (source, copyType, score) => {
    expect(initialScore(source, copyType)).toBe(score);
  });

  test.each([
    [100, "high-engagement"],
    [70, "high-engagement"],
    [69, "medium-engagement"],
    [40, "medium-engagement"],
    [39, "low-engagement"],
    [0, "low-engagement"],
  ])("a score of %i belongs to %s", (score, segment) => {
    expect(segmentForScore(score)).toBe(segment);
  });

  test("only a clean and equal state makes a change needless; an unknown or dirty one is looked up first", () => {
    expect(planSegmentChange(80, undefined)).toEqual({ target: "high-engagement", listFirst: true, unchanged: false });
    expect(planSegmentChange(80, { segment: "high-engagement", dirty: true })).toMatchObject({
      listFirst: true,
      unchanged: false,
    });
    expect(planSegmentChange(80, { segment: "high-engagement", dirty: false })).toMatchObject({ unchanged: true });
    expect(planSegmentChange(10, { segment: "high-engagement", dirty: false })).toEqual({
      target: "low-engagement",
      listFirst: false,
      unchanged: false,
    });
  });

  test("from any set of segments the calls lead to the target alone, and never through none", () => {
    for (let set = 0; set < 8; set += 1) {
      const present = managedSegments.filter((_, index) => set & (1 << index));
      for (const target of managedSegments) {
        const { add, remove } = segmentCalls(target, present);
        const after = new Set<string>(present);
        if (add) after.add(add);
        for (const segment of remove) {
          after.delete(segment);
          expect(after.size).toBeGreaterThan(0);
        }
        expect([...after]).toEqual([target]);
        expect((add ? 1 : 0) + remove.length).toBe(
          present.filter((each) => each !== target).length + Number(!present.includes(target)),
        );
      }
    }
  });
});

test.each([
  ["agents", ["weekly-digest", "agents-prompts"]],
  ["MCP", ["weekly-digest", "mcp-integrations"]],
  ["hooks", ["weekly-digest", "commands-automation"]],
  ["jobs", ["weekly-digest"]],
  ["constructor", ["weekly-digest"]],
  [null, ["weekly-digest"]],
])("interest in %s opts in to %j and to nothing unasked", (category, topics) => {
  expect(topicsForInterest(primaryInterest(category))).toEqual(topics);
});

test("a queue or workflow names its variables in one way", () => {
  expect(queueUrlVariable("segment-sync")).toBe("QUEUE_URL_SEGMENT_SYNC");
  expect(deadLetterUrlVariable("pulse")).toBe("DEAD_LETTER_URL_PULSE");
  expect(workflowArnVariable("segment-sync")).toBe("WORKFLOW_ARN_SEGMENT_SYNC");
});

describe("errors say what becomes of the message", () => {
  const until = 1_000;
  const outcomeOf = (error: Error) =>
    error instanceof InvalidInput || error instanceof PermanentFailure
      ? "dead-lettered"
      : error instanceof Deferred
        ? "deferred"
        : "tried again";
  test.each([
    [new ProviderRefused("no", { status: 422, code: "validation_error" }), "dead-lettered"],
    [new IdempotencyMismatch("no"), "dead-lettered"],
    [new RateLimited("slow", until), "deferred"],
    [new QuotaExceeded("used up", until), "deferred"],
    [new ProviderUnavailable("down"), "tried again"],
    [new ProviderMisconfigured("wrong key"), "tried again"],
    [new MissingConfiguration([]), "tried again"],
  ])("%s is %s", (error, outcome) => {
    expect(outcomeOf(error)).toBe(outcome);
    // State machines match on the name.
    expect(error.name).toBe(error.constructor.name);
  });

  test("missing settings are named together, each with its place", () => {
    const missing = [
      { name: "resendApiKey", where: "entry a" },
      { name: "unsubscribeKey", where: "entry b" },
    ];
    expect(new MissingConfiguration(missing).message).toBe(
      "Missing configuration: resendApiKey (entry a); unsubscribeKey (entry b)",
    );
  });

  test("errors that differ in ids and numbers only share a fingerprint; another name or text has its own", () => {
    const of = (message: string, name = "Error") => fingerprint(Object.assign(new Error(message), { name }));
    const first = of("Subscription 0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001 failed after 3 tries with deadbeefdeadbeef");
    expect(of("Subscription 1c1a8a2e-6f0e-4c3a-9c56-5a8a2d0f0002 failed after 12 tries with cafebabecafebabe00")).toBe(
      first,
    );
    expect(of("Subscription 0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001 failed", "Error")).not.toBe(first);
    expect(of("same", "A")).not.toBe(of("same", "B"));
  });
});

test("a record keeps its keys through a change", () => {
  const doubled = mapRecord({ one: 1, two: 2 }, (value, key) => `${key}=${value * 2}`);
  expect(doubled).toEqual({ one: "one=2", two: "two=4" });
  expect(entriesOf(doubled)).toEqual([
    ["one", "one=2"],
    ["two", "two=4"],
  ]);
});

describe("an unsubscribe link", () => {
  const id = "0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001";
  const link = unsubscribeLink("https://api.example.com", id, "key");
  const token = new URL(link).searchParams.get("token") ?? "";

  test("is the same every time and leads back to its subscription", () => {
    expect(unsubscribeLink("https://api.example.com", id, "key")).toBe(link);
    expect(subscriptionOfToken(token, "key")).toBe(id);
  });

  test.each([
    ["nothing", ""],
    ["no signature", id],
    ["an empty signature", `${id}.`],
    ["another subscription", token.replace("0b0a", "0b0b")],
    ["a changed signature", `${token.slice(0, -2)}xx`],
    ["a signature of another length", `${token}A`],
  ])("with %s leads nowhere", (_name, changed) => {
    expect(subscriptionOfToken(changed, "key")).toBeNull();
  });

  test("made with another key leads nowhere", () => {
    expect(subscriptionOfToken(token, "other")).toBeNull();
  });
});
