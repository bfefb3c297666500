import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { attemptLeaseMs, lookAgainMs } from "../../lambdas/core/announcement.ts";
import { discordMessage } from "../../lambdas/core/discord-message.ts";
import { Deferred, PermanentFailure } from "../../lambdas/core/outcome.ts";
import {
  ProviderMisconfigured,
  ProviderUnavailable,
  ProviderUnreachable,
} from "../../lambdas/core/provider-failure.ts";
import { createDiscordWebhook, type DiscordWebhook } from "../../lambdas/providers/discord.ts";
import { createAnnouncementLedger } from "../../lambdas/runtime/announcement-ledger.ts";
import { startDiscord } from "../../local/vendors/discord/server.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createOpenPacer } from "./resend-provider.ts";
import { createClock, startState } from "./state.ts";

const webhookName = { id: "1200000000000000001", token: "token-of-the_test", name: "jobs" };
const clock = createClock();
const message = (title: string) => discordMessage({ embed: { title } });

let state: Awaited<ReturnType<typeof startState>>;
let discord: StandIn;
let key = "";
let keys = 0;

beforeAll(async () => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  state = await startState();
});
afterAll(() => state.close());
beforeEach(async () => {
  keys += 1;
  key = `discord/job/${keys}`;
  discord = await startDiscord({ webhooks: [webhookName], now: clock.now, limit: 1000 });
  return () => discord.close();
});

const ledger = () => createAnnouncementLedger({ table: state.open(clock.now), now: clock.now });
function openWebhook(more: { baseUrl?: string; address?: string } = {}) {
  const { pacer, told } = createOpenPacer();
  const webhook = createDiscordWebhook({
    baseUrl: discord.url,
    address: `https://discord.com/api/webhooks/${webhookName.id}/${webhookName.token}`,
    timeoutMs: 300,
    pacer,
    now: clock.now,
    ...more,
  });
  return { webhook, told };
}
const faults = (wanted: object) => fetch(`${discord.url}/_faults`, { method: "PUT", body: JSON.stringify(wanted) });
type Posted = { id: string; edits: number; embeds: { title: string }[] };
const posted = async (): Promise<Posted[]> => {
  const answer: { messages: Posted[] } = JSON.parse(await (await fetch(`${discord.url}/_state`)).text());
  return answer.messages;
};
const calls = async (): Promise<number> => {
  const all: unknown[] = JSON.parse(await (await fetch(`${discord.url}/_calls`)).text());
  return all.length;
};
const announce = (title: string, more: { follows?: boolean; knownMessageId?: string; webhook?: DiscordWebhook } = {}) =>
  ledger().announce({ key, message: message(title), webhook: openWebhook().webhook, ...more });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test("an announcement is posted once, and its id is kept", async () => {
  const first = await announce("one");
  expect(first).toEqual({ outcome: "posted", messageId: expect.any(String) });
  expect(await announce("one")).toEqual({ ...first, outcome: "unchanged" });
  expect(await announce("another")).toEqual({ ...first, outcome: "unchanged" });
  expect(await posted()).toMatchObject([{ embeds: [{ title: "one" }], edits: 0 }]);
  expect(await calls()).toBe(1);
});

test("of two attempts at once one posts, and the other comes back later", async () => {
  const both = await Promise.allSettled([announce("one"), announce("one")]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = both.find((each) => each.status === "rejected");
  expect(refused).toMatchObject({ reason: expect.any(Deferred) });
  expect(await posted()).toHaveLength(1);
});

test("one that follows its subject is edited, and not when nothing changed", async () => {
  const first = await announce("one", { follows: true });
  expect(await announce("two", { follows: true })).toEqual(first);
  await announce("two", { follows: true });
  expect(await posted()).toMatchObject([{ embeds: [{ title: "two" }], edits: 1 }]);
  expect(await calls()).toBe(2);
});

test("one that somebody deleted is posted anew", async () => {
  const first = await announce("one", { follows: true });
  const id = first.outcome === "parked" ? "" : first.messageId;
  const path = `/api/v10/webhooks/${webhookName.id}/${webhookName.token}/messages/${id}`;
  await fetch(`${discord.url}${path}`, { method: "DELETE" });
  const second = await announce("two", { follows: true });
  expect(second).toMatchObject({ outcome: "posted", messageId: expect.not.stringMatching(String(id)) });
  expect(await ledger().read(key)).toMatchObject({ status: "accepted", messageId: (await posted())[0]?.id });
});

test("a message that is known from elsewhere is edited after the record has expired", async () => {
  const first = await announce("one", { follows: true });
  clock.advance(91 * 86_400_000);
  expect(await ledger().read(key)).toBeUndefined();
  const knownMessageId = (first.outcome !== "parked" && first.messageId) || "";
  expect(await announce("two", { follows: true, knownMessageId })).toMatchObject({ messageId: knownMessageId });
  expect(await posted()).toHaveLength(1);
});

describe("when the post fails", () => {
  test.each([
    ["was accepted and the answer lost", { acceptThenTimeout: 1 }, 1],
    ["was met with a 5xx", { rate5xx: 1 }, 0],
    ["was cut off", { reset: 1 }, 0],
  ])("what %s is parked and never repeated", async (_what, fault, reached) => {
    await faults(fault);
    expect(await announce("one", { follows: true })).toEqual({ outcome: "parked" });
    await faults({});
    expect(await announce("one", { follows: true })).toEqual({ outcome: "parked" });
    expect(await announce("two", { follows: true })).toEqual({ outcome: "parked" });
    expect(await posted()).toHaveLength(reached);
    expect(await calls()).toBe(1);
  });

  test("because nothing listens, it is tried again", async () => {
    const closed = await startDiscord({ webhooks: [], now: clock.now });
    await closed.close();
    const { webhook } = openWebhook({ baseUrl: closed.url });
    expect(await failure(announce("one", { webhook }))).toBeInstanceOf(ProviderUnreachable);
    expect(await announce("one")).toMatchObject({ outcome: "posted" });
  });

  test("because of the rate limit, it is put off, everyone pauses, and it is tried again", async () => {
    await faults({ rate429: 1 });
    const { webhook, told } = openWebhook();
    expect(await failure(announce("one", { webhook }))).toMatchObject({
      name: "RateLimited",
      untilMs: clock.now() + 1000,
    });
    expect(told.pausedUntil).toEqual([clock.now() + 1000]);
    await faults({});
    expect(await announce("one")).toMatchObject({ outcome: "posted" });
    expect(await posted()).toHaveLength(1);
  });

  test("because the webhook is gone or its token is wrong, it is tried again", async () => {
    for (const address of [`1200000000000000009/${webhookName.token}`, `${webhookName.id}/wrong`]) {
      const { webhook } = openWebhook({ address });
      expect(await failure(announce("one", { webhook }))).toBeInstanceOf(ProviderMisconfigured);
    }
    expect(await announce("one")).toMatchObject({ outcome: "posted" });
  });

  test("because Discord does not take it, only another message is tried", async () => {
    const webhook = openWebhook().webhook;
    const empty = { key, webhook, message: discordMessage({ embed: {} }) };
    expect(await failure(ledger().announce(empty))).toBeInstanceOf(PermanentFailure);
    expect(await failure(ledger().announce(empty))).toBeInstanceOf(PermanentFailure);
    expect(await calls()).toBe(1);
    expect(await announce("one")).toMatchObject({ outcome: "posted" });
  });

  test("because the function died, it is held until the function must be gone, then parked", async () => {
    const webhook: DiscordWebhook = { ...openWebhook().webhook, create: () => new Promise(() => {}) };
    void announce("one", { webhook });
    await vi.waitFor(async () => expect(await ledger().read(key)).toMatchObject({ status: "sending" }));
    expect(await failure(announce("one"))).toMatchObject({ name: "Deferred", untilMs: clock.now() + lookAgainMs });
    clock.advance(attemptLeaseMs - 1);
    expect(await failure(announce("one"))).toMatchObject({ name: "Deferred", untilMs: clock.now() + 1 });
    clock.advance(1);
    expect(await announce("one")).toEqual({ outcome: "parked" });
    expect(await posted()).toEqual([]);
  });
});

test("an edit that fails is tried again, since it does no harm twice", async () => {
  await announce("one", { follows: true });
  await faults({ acceptThenTimeout: 1 });
  expect(await failure(announce("two", { follows: true }))).toBeInstanceOf(ProviderUnavailable);
  await faults({});
  expect(await announce("two", { follows: true })).toMatchObject({ outcome: "posted" });
  expect(await posted()).toMatchObject([{ embeds: [{ title: "two" }] }]);
});

test("the last call that Discord allows pauses everyone until its window is over", async () => {
  await faults({ limit: 1 });
  const { webhook, told } = openWebhook();
  await announce("one", { webhook });
  expect(told.pausedUntil).toEqual([clock.now() + 2000]);
});

test("an address that is none of a webhook is refused with what to do", () => {
  expect(() => openWebhook({ address: "https://discord.com/channels/1/2" })).toThrow(/copy it from Discord again/);
});
