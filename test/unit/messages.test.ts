import { describe, expect, test } from "vitest";
import { emailAddress } from "../../lambdas/core/email-address.ts";
import { contracts, envelopeOf, interaction, makeEnvelope, messageId } from "../../lambdas/core/messages.ts";

const subscriptionId = "0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f0001";

describe("an email address", () => {
  test.each([
    ["ada@example.com", "ada@example.com"],
    ["  Ada.Lovelace+news@Example.CO.UK ", "ada.lovelace+news@example.co.uk"],
    ["a@b.io", "a@b.io"],
    ["o'hara!#$%&*/=?^_`{|}~-@example.com", "o'hara!#$%&*/=?^_`{|}~-@example.com"],
    [`${"a".repeat(64)}@example.com`, `${"a".repeat(64)}@example.com`],
    [`a@${"b".repeat(63)}.com`, `a@${"b".repeat(63)}.com`],
    ["a@xn--bcher-kva.example", "a@xn--bcher-kva.example"],
  ])("%s is taken as %s", (given, kept) => {
    expect(emailAddress.parse(given)).toBe(kept);
  });

  test.each([
    ["nothing", ""],
    ["no at sign", "ada.example.com"],
    ["two at signs", "ada@b@example.com"],
    ["no local part", "@example.com"],
    ["no dot in the domain", "ada@localhost"],
    ["two dots in a row", "ada..l@example.com"],
    ["two dots in the domain", "ada@example..com"],
    ["a space", "ada l@example.com"],
    ["a second header line", "ada@example.com\nbcc: all@example.com"],
    ["a name around it", "Ada <ada@example.com>"],
    ["two addresses", "ada@example.com,bob@example.com"],
    ["a label that begins with a hyphen", "ada@-example.com"],
    ["a label that ends with a hyphen", "ada@example-.com"],
    ["an address literal", "ada@[127.0.0.1]"],
    ["an IP address", "ada@127.0.0.1"],
    ["a top level of one letter", "ada@example.c"],
    ["letters beyond ASCII", "ädä@example.com"],
    ["a NUL", "ada\u0000@example.com"],
    ["a local part of 65", `${"a".repeat(65)}@example.com`],
    ["a label of 64", `a@${"b".repeat(64)}.com`],
    ["255 characters", `a@${"b.".repeat(125)}com`],
    ["no string", 42],
  ])("with %s is refused", (_name, given) => {
    expect(emailAddress.safeParse(given).success).toBe(false);
  });

  test("of a hundred thousand characters is refused at once", () => {
    const startedMs = performance.now();
    for (const long of [
      `a@${"a".repeat(100_000)}`,
      `${"a.".repeat(50_000)}@`,
      `a@${"a-".repeat(50_000)}!`,
      `a@${"a.".repeat(50_000)}`,
    ])
      expect(emailAddress.safeParse(long).success).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

describe("a contract", () => {
  test("drops what it does not know, so that no stranger's field reaches the database", () => {
    const wish = contracts.subscription.parse({ kind: "subscribe", email: "ada@example.com", admin: true });
    expect(wish).toEqual({ kind: "subscribe", email: "ada@example.com" });
  });

  test.each([
    ["NUL", "a\u0000b"],
    ["half a surrogate pair", "a\ud83db"],
  ])("refuses %s, which Postgres could never store, wherever it stands", (_name, text) => {
    const wish = { kind: "subscribe", email: "ada@example.com" };
    const event = { interaction_type: "view", content_type: null, content_slug: null };
    for (const [contract, value] of [
      [contracts.subscription, { ...wish, referrer: text }],
      [contracts.subscription, { ...wish, copy_slug: text }],
      [interaction, { ...event, session_id: text }],
      [interaction, { ...event, metadata: { deep: [{ in: text }] } }],
      [interaction, { ...event, metadata: { [text]: 1 } }],
    ] as const)
      expect(contract.safeParse(value).success).toBe(false);
    const written = String.raw`a\u0000b\ud83d`;
    expect(interaction.safeParse({ ...event, metadata: { written, emoji: "🚀" } }).success).toBe(true);
    expect(contracts.subscription.safeParse({ ...wish, referrer: "/🚀" }).success).toBe(true);
  });

  test.each([
    ["subscription", { kind: "subscribe" }],
    ["subscription", { kind: "unsubscribe", subscriptionId: "1", reason: "page" }],
    ["subscription", { kind: "unsubscribe", subscriptionId, reason: "because" }],
    ["subscription", { email: "ada@example.com" }],
    ["subscription", { kind: "subscribe", email: "ada@example.com", referrer: "x".repeat(501) }],
    ["pulse", { interaction_type: "", content_type: null, content_slug: null }],
    ["pulse", { interaction_type: "view" }],
    ["segment-sync", { subscriptionId: "nobody" }],
    ["segment-recovery", {}],
  ] as const)("of %s refuses %j", (queue, payload) => {
    expect(contracts[queue].safeParse(payload).success).toBe(false);
  });
});

describe("an envelope", () => {
  const about = { businessKey: "b", correlationId: "c", nowMs: Date.parse("2026-03-02T09:00:00Z") };

  test("survives the way over the queue", () => {
    const sent = makeEnvelope("segment-sync", { subscriptionId }, about);
    expect(envelopeOf("segment-sync").parse(JSON.parse(JSON.stringify(sent)))).toEqual(sent);
    expect(sent).toMatchObject({ firstSeenAt: "2026-03-02T09:00:00.000Z", deferrals: 0 });
  });

  test("has the same id for the same key and scope, another for any other, and a random one without", () => {
    const id = (scope: string, key: string) =>
      makeEnvelope("segment-sync", { subscriptionId }, { ...about, idempotency: { scope, key } }).id;
    expect(id("a", "1")).toBe(id("a", "1"));
    expect(new Set([id("a", "1"), id("a", "2"), id("b", "1")]).size).toBe(3);
    const random = () => makeEnvelope("segment-sync", { subscriptionId }, about).id;
    expect(random()).not.toBe(random());
    expect(messageId("a", "1")).toMatch(/^[0-9a-f]{64}$/);
  });

  test("for another queue, or with anything missing, is refused", () => {
    const sent = makeEnvelope("segment-sync", { subscriptionId }, about);
    expect(envelopeOf("segment-recovery").safeParse(sent).success).toBe(false);
    for (const field of Object.keys(sent)) {
      const { [field as "id"]: _, ...rest } = sent;
      expect(envelopeOf("segment-sync").safeParse(rest).success, field).toBe(false);
    }
    expect(envelopeOf("segment-sync").safeParse({ ...sent, deferrals: -1 }).success).toBe(false);
  });
});
