import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ledgerTag } from "../../lambdas/core/ledger.ts";
import { ProviderUnavailable } from "../../lambdas/core/provider-failure.ts";
import { addressesOf, fateOf, resendEvent } from "../../lambdas/core/resend-event.ts";
import { createMailLedger, type MailLedger } from "../../lambdas/runtime/mail-ledger.ts";
import { createClock, startState } from "./state.ts";

let state: Awaited<ReturnType<typeof startState>>;
let ledger: MailLedger;
const clock = createClock();

beforeAll(async () => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  state = await startState();
  ledger = createMailLedger({ table: state.open(clock.now), now: clock.now });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await state.close();
});

const send = (key: string, call: () => Promise<(string | null)[]> = async () => ["mail-1"], payload: unknown = {}) =>
  ledger.send({ key, payload, acquire: async () => {}, call });
const statusOf = async (key: string) => (await ledger.read(key))?.status;

test("a mail's record follows its events in whatever order they come, and never goes back", async () => {
  await send("welcome/1");
  const tag = ledgerTag("welcome/1");
  expect(await ledger.settle(tag, "delivered", "mail-1")).toBe("settled");
  expect(await ledger.settle(tag, "accepted", "mail-1")).toBe("unchanged");
  expect(await ledger.settle(tag, "complained", "mail-1")).toBe("settled");
  expect(await ledger.settle(tag, "bounced", "mail-1")).toBe("unchanged");
  expect(await ledger.settle(tag, "delivered", "mail-1")).toBe("unchanged");
  expect(await statusOf("welcome/1")).toBe("complained");
});

test("an event settles a send whose answer was lost, so that it is not sent again", async () => {
  const lost = async () => {
    throw new ProviderUnavailable("no answer");
  };
  await expect(send("welcome/2", lost)).rejects.toThrow("no answer");
  expect(await statusOf("welcome/2")).toBe("sending");
  expect(await ledger.settle(ledgerTag("welcome/2"), "accepted", "mail-2")).toBe("settled");
  const calls = vi.fn(async () => ["mail-3"]);
  expect(await send("welcome/2", calls)).toEqual({ outcome: "already-sent", providerIds: ["mail-2"] });
  expect(calls).not.toHaveBeenCalled();
});

test("a parked mail is settled too", async () => {
  const lost = async () => {
    throw new ProviderUnavailable("no answer");
  };
  await expect(send("welcome/3", lost)).rejects.toThrow();
  clock.advance(24 * 3_600_000);
  expect(await send("welcome/3", lost)).toMatchObject({ outcome: "parked" });
  expect(await ledger.settle(ledgerTag("welcome/3"), "bounced", "mail-4")).toBe("settled");
  expect(await statusOf("welcome/3")).toBe("bounced");
});

test("one mail of a batch says nothing about the others", async () => {
  await send("digest/2026-W10/0", async () => ["mail-5", "mail-6"], [{}, {}]);
  expect(await ledger.settle(ledgerTag("digest/2026-W10/0"), "bounced", "mail-5")).toBe("batch");
  expect(await ledger.read("digest/2026-W10/0")).toMatchObject({
    status: "accepted",
    providerIds: ["mail-5", "mail-6"],
  });
});

test("a tag that nobody gave out is unknown", async () => {
  expect(await ledger.settle(ledgerTag("welcome/never"), "delivered", "mail-7")).toBe("unknown");
});

test("an event names its recipients once each, or its contact, or nobody", () => {
  const event = (data: unknown) => resendEvent.parse({ data });
  expect(addressesOf("email.sent", event({ to: ["a@x.com", "b@x.com", "a@x.com"] }))).toEqual(["a@x.com", "b@x.com"]);
  expect(addressesOf("email.sent", event({ to: "a@x.com" }))).toEqual(["a@x.com"]);
  expect(addressesOf("contact.updated", event({ email: "c@x.com", to: ["a@x.com"] }))).toEqual(["c@x.com"]);
  expect(addressesOf("domain.updated", event({ id: "d" }))).toEqual([null]);
});

test("tags are read as an object and as a list, and strange ones do no harm", () => {
  const tags = (value: unknown) => resendEvent.parse({ data: { tags: value } }).data.tags;
  expect(tags({ ledger: "x" })).toEqual({ ledger: "x" });
  expect(tags([{ name: "ledger", value: "x" }])).toEqual({ ledger: "x" });
  expect(tags(5)).toBeNull();
});

test("what an event of an unknown type proves of a mail is nothing", () => {
  expect(fateOf("email.clicked")).toBe("delivered");
  expect(fateOf("email.failed")).toBeUndefined();
  expect(fateOf("constructor")).toBeUndefined();
});

test("a mail that is no longer wanted, and may have been sent, is parked where somebody sees it", async () => {
  const unanswered = async () => {
    throw new ProviderUnavailable("no answer");
  };
  await expect(send("given-up/1", unanswered)).rejects.toThrow("no answer");
  expect(await ledger.giveUp("given-up/1", "they left")).toBe("parked");
  expect(await ledger.read("given-up/1")).toMatchObject({
    status: "parked",
    reason: expect.stringContaining("they left"),
  });
});

test("a mail that is decided, or was never tried, stays as it is", async () => {
  await send("given-up/2", async () => ["mail-2"]);
  expect(await ledger.giveUp("given-up/2", "they left")).toBe("suppressed");
  expect(await statusOf("given-up/2")).toBe("accepted");
  expect(await ledger.giveUp("given-up/3", "they left")).toBe("suppressed");
  expect(await statusOf("given-up/3")).toBeUndefined();
});
