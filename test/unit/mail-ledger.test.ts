import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { hashPayload, idempotencyMemoryMs, type LedgerRecord, nextLedgerStep } from "../../lambdas/core/ledger.ts";
import { PermanentFailure } from "../../lambdas/core/outcome.ts";
import { ProviderMisconfigured, ProviderUnavailable, RateLimited } from "../../lambdas/core/provider-failure.ts";
import type { Mail, ResendProvider } from "../../lambdas/providers/resend.ts";
import { createMailLedger, type MailLedger } from "../../lambdas/runtime/mail-ledger.ts";
import { mailTo, startResendProvider } from "./resend-provider.ts";
import { createClock, startState } from "./state.ts";

const hourMs = 3_600_000;

describe("the next step of a business key", () => {
  const record: LedgerRecord = {
    key: "welcome/1",
    status: "claimed",
    payloadHash: "same",
    firstAttemptMs: null,
    attempts: 0,
    providerIds: [],
    reason: null,
  };
  const step = (changes: Partial<LedgerRecord>, nowMs = 0, payloadHash = "same") =>
    nextLedgerStep({ ...record, ...changes }, { payloadHash, nowMs }).kind;

  test.each([
    ["claimed", "send"],
    ["sending", "send"],
    ["accepted", "already-sent"],
    ["delivered", "already-sent"],
    ["bounced", "already-sent"],
    ["complained", "already-sent"],
    ["refused", "refused"],
    ["parked", "parked"],
  ] as const)("of a %s one is to be %s", (status, kind) => {
    expect(step({ status, firstAttemptMs: status === "claimed" ? null : 0 })).toBe(kind);
  });

  test("repeats an unsettled attempt while the provider remembers it, and not a moment longer", () => {
    const attempted = { status: "sending", firstAttemptMs: 0 } as const;
    expect(step(attempted, idempotencyMemoryMs)).toBe("send");
    expect(step(attempted, idempotencyMemoryMs + 1)).toBe("park");
    expect(idempotencyMemoryMs).toBeLessThan(24 * hourMs);
  });

  test("parks what renders otherwise than what was attempted, but not what was never attempted", () => {
    expect(step({ status: "sending", firstAttemptMs: 0 }, 1, "other")).toBe("park");
    expect(step({ status: "claimed", firstAttemptMs: null }, 1, "other")).toBe("send");
  });
});

describe("the ledger, over a real table and Resend's stand-in", () => {
  let state: Awaited<ReturnType<typeof startState>>;
  let vendor: Awaited<ReturnType<typeof startResendProvider>>;
  const clock = createClock();

  beforeAll(async () => {
    vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
    vi.stubEnv("STATION_STAGE", "test");
    state = await startState();
    vendor = await startResendProvider({ now: clock.now });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await vendor.setFaults({});
  });
  afterAll(async () => {
    await vendor.close();
    await state.close();
  });

  const ledgerOf = (): MailLedger => createMailLedger({ table: state.open(clock.now), now: clock.now });
  const send = (ledger: MailLedger, key: string, mail: Mail, resend: ResendProvider = vendor.resend) =>
    ledger.send({
      key,
      payload: mail,
      acquire: () => resend.acquire("urgent"),
      call: async (idempotencyKey) => [await resend.sendMail(mail, idempotencyKey)],
    });
  /** Does not wait for an answer that will not come. */
  const sendWithoutAnswer = (ledger: MailLedger, key: string, mail: Mail) =>
    failure(send(ledger, key, mail, vendor.providerOf({ timeoutMs: 200 })));
  const received = async (address: string) => (await vendor.outbox()).filter(({ to }) => to.includes(address)).length;
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  test("sends once, and from then on answers what was sent", async () => {
    const ledger = ledgerOf();
    const first = await send(ledger, "welcome/once", mailTo("once@example.com"));
    expect(first).toMatchObject({ outcome: "accepted", providerIds: [expect.any(String)] });
    const again = await send(ledgerOf(), "welcome/once", mailTo("once@example.com", "Another subject"));
    expect(again).toEqual({ ...first, outcome: "already-sent" });
    expect(await received("once@example.com")).toBe(1);
    expect(await ledger.read("welcome/once")).toMatchObject({ status: "accepted", firstAttemptMs: clock.now() });
  });

  test("of twenty sends of one key at once, lets one mail out; the others learn of it or come again", async () => {
    const ledgers = Array.from({ length: 4 }, ledgerOf);
    const mail = mailTo("race@example.com");
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => send(ledgers[index % 4] ?? ledgerOf(), "welcome/race", mail)),
    );
    const ids = new Set<unknown>();
    for (const result of results) {
      if (result.status === "fulfilled" && result.value.outcome !== "parked") ids.add(result.value.providerIds[0]);
      // Resend says so when the first call with this key is still under way: a repetition is right, a refusal is not.
      if (result.status === "rejected") expect(result.reason).toBeInstanceOf(ProviderUnavailable);
    }
    expect(ids.size).toBe(1);
    expect(await received("race@example.com")).toBe(1);
    expect(await send(ledgerOf(), "welcome/race", mail)).toMatchObject({ outcome: "already-sent" });
  });

  test("repeats byte for byte what was accepted without an answer, and learns its id", async () => {
    const mail = mailTo("lost@example.com");
    await vendor.setFaults({ acceptThenTimeout: 1 });
    expect(await sendWithoutAnswer(ledgerOf(), "welcome/lost", mail)).toBeInstanceOf(ProviderUnavailable);
    expect(await ledgerOf().read("welcome/lost")).toMatchObject({ status: "sending", firstAttemptMs: clock.now() });
    await vendor.setFaults({});
    expect(await send(ledgerOf(), "welcome/lost", mail)).toMatchObject({ outcome: "accepted" });
    expect(await received("lost@example.com")).toBe(1);
  });

  test("parks, with a signal, what it can neither repeat nor forget", async () => {
    const lines = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await vendor.setFaults({ acceptThenTimeout: 1 });
    await sendWithoutAnswer(ledgerOf(), "welcome/changed", mailTo("changed@example.com"));
    await sendWithoutAnswer(ledgerOf(), "welcome/old", mailTo("old@example.com"));
    await vendor.setFaults({});
    expect(await send(ledgerOf(), "welcome/changed", mailTo("changed@example.com", "New"))).toMatchObject({
      outcome: "parked",
      reason: expect.stringContaining("renders another mail"),
    });
    clock.advance(idempotencyMemoryMs + 1);
    const old = await send(ledgerOf(), "welcome/old", mailTo("old@example.com"));
    expect(old).toMatchObject({
      outcome: "parked",
      reason: expect.stringContaining("older than the provider's memory"),
    });
    // Later attempts change nothing: only a webhook or an operator settles it.
    expect(await send(ledgerOf(), "welcome/old", mailTo("old@example.com"))).toEqual(old);
    expect([await received("changed@example.com"), await received("old@example.com")]).toEqual([1, 1]);
    expect(lines.mock.calls.filter(([line]) => String(line).includes("mail-parked"))).toHaveLength(2);
  });

  test("forgets an attempt that the provider's limit turned away, so that it may be made at any later time", async () => {
    const mail = mailTo("limited@example.com");
    await vendor.setFaults({ rate429: 1 });
    expect(await failure(send(ledgerOf(), "welcome/limited", mail))).toBeInstanceOf(RateLimited);
    expect(await ledgerOf().read("welcome/limited")).toMatchObject({ status: "claimed", firstAttemptMs: null });
    await vendor.setFaults({});
    clock.advance(48 * hourMs);
    expect(await send(ledgerOf(), "welcome/limited", mailTo("limited@example.com", "Newer"))).toMatchObject({
      outcome: "accepted",
    });
    expect(await received("limited@example.com")).toBe(1);
  });

  test("does not forget an attempt of somebody else that may have been accepted meanwhile", async () => {
    const mail = mailTo("overlap@example.com");
    const ledger = ledgerOf();
    const attemptedMs = clock.now();
    const late = failure(
      ledger.send({
        key: "welcome/overlap",
        payload: mail,
        // While this one waits for its turn, another makes its attempt and never learns how it ended.
        acquire: async () => {
          await vendor.setFaults({ acceptThenTimeout: 1 });
          expect(await sendWithoutAnswer(ledgerOf(), "welcome/overlap", mail)).toBeInstanceOf(ProviderUnavailable);
          clock.advance(1000);
        },
        call: async () => Promise.reject(new RateLimited("too many", clock.now())),
      }),
    );
    expect(await late).toBeInstanceOf(RateLimited);
    expect(await ledger.read("welcome/overlap")).toMatchObject({ status: "sending", firstAttemptMs: attemptedMs });
  });

  test("waits for permission before it marks anything as attempted", async () => {
    const refused = failure(
      ledgerOf().send({
        key: "welcome/waiting",
        payload: mailTo("waiting@example.com"),
        acquire: () => Promise.reject(new RateLimited("paused", clock.now())),
        call: () => Promise.reject(new Error("must not be called")),
      }),
    );
    expect(await refused).toBeInstanceOf(RateLimited);
    expect(await ledgerOf().read("welcome/waiting")).toMatchObject({ status: "claimed", firstAttemptMs: null });
  });

  test("keeps a refusal for good", async () => {
    const mail = { ...mailTo("refused@example.com"), from: "" };
    expect(await failure(send(ledgerOf(), "welcome/refused", mail))).toBeInstanceOf(PermanentFailure);
    expect(await failure(send(ledgerOf(), "welcome/refused", mailTo("refused@example.com")))).toMatchObject({
      message: expect.stringContaining("was refused before"),
    });
    expect(await received("refused@example.com")).toBe(0);
  });

  test("takes a wrong API key for our own fault: once it is mended, the mail is sent", async () => {
    const mail = mailTo("rotated@example.com");
    const withOldKey = failure(send(ledgerOf(), "welcome/rotated", mail, vendor.providerOf({ key: "re_revoked" })));
    expect(await withOldKey).toBeInstanceOf(ProviderMisconfigured);
    clock.advance(48 * hourMs);
    expect(await send(ledgerOf(), "welcome/rotated", mail)).toMatchObject({ outcome: "accepted" });
    expect(await received("rotated@example.com")).toBe(1);
  });

  test("parks when the provider knows the key with another payload", async () => {
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await vendor.resend.sendMail(mailTo("foreign@example.com"), "welcome/foreign");
    const result = await send(ledgerOf(), "welcome/foreign", mailTo("foreign@example.com", "Other"));
    expect(result).toMatchObject({ outcome: "parked" });
    expect(await received("foreign@example.com")).toBe(1);
  });

  test("begins anew with a key whose record has outlived its keeping time, deleted or not", async () => {
    const mail = mailTo("again@example.com");
    await send(ledgerOf(), "welcome/again", mail);
    clock.advance(91 * 24 * hourMs);
    expect(await send(ledgerOf(), "welcome/again", mail)).toMatchObject({ outcome: "accepted" });
    expect(await received("again@example.com")).toBe(2);
  });

  test("keeps for a batch one id per mail, and none for the one that was refused", async () => {
    const mails = [mailTo("b1@example.com"), { ...mailTo("b2@example.com"), to: "nobody" }, mailTo("b3@example.com")];
    const result = await ledgerOf().send({
      key: "digest/2026-W10/0",
      payload: mails,
      acquire: () => vendor.resend.acquire("bulk"),
      call: (key) => vendor.resend.sendMails(mails, key),
    });
    expect(result).toMatchObject({ outcome: "accepted", providerIds: [expect.any(String), null, expect.any(String)] });
    expect([await received("b1@example.com"), await received("b3@example.com")]).toEqual([1, 1]);
  });
});

test("a payload's hash changes with every byte of it", () => {
  expect(hashPayload(mailTo("a@example.com"))).toBe(hashPayload(mailTo("a@example.com")));
  expect(hashPayload(mailTo("a@example.com"))).not.toBe(hashPayload(mailTo("a@example.com", "welcome")));
});
