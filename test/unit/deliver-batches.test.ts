import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { z } from "zod";
import { Deferred } from "../../lambdas/core/outcome.ts";
import type { SupabaseProvider } from "../../lambdas/providers/supabase.ts";
import { createMailLedger } from "../../lambdas/runtime/mail-ledger.ts";
import type { StateTable } from "../../lambdas/runtime/state-table.ts";
import { createDigestContent } from "../../lambdas/tasks/digest/content.ts";
import { deliverBatches } from "../../lambdas/tasks/digest/deliver-batches.ts";
import type { DigestParts } from "../../lambdas/tasks/digest/parts.ts";
import { createWeekClaims } from "../../lambdas/tasks/digest/week-claim.ts";
import type { FlagName } from "../../registry/flags.ts";
import { config } from "../../station.config.ts";
import { startResendProvider } from "./resend-provider.ts";
import { createClock, startState } from "./state.ts";

let state: Awaited<ReturnType<typeof startState>>;
beforeAll(async () => {
  state = await startState();
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
});
afterAll(async () => {
  await state.close();
});

const entry = { category: "mcp", slug: "one", title: "One", description: "First", url: "/mcp/one" };
const digest = {
  weekOf: "March 2 - 8, 2026",
  newContent: [{ ...entry, dateAdded: "2026-03-02" }],
  trendingContent: [],
};

/** A week that `owner` has claimed and pinned, with these people to serve. */
async function prepare(week: string, owner: string, addresses: string[]) {
  const clock = createClock();
  const table = state.open(clock.now);
  const vendor = await startResendProvider({ now: clock.now });
  const people = addresses.map((email) => ({ subscription_id: randomUUID(), email }));
  people.sort((left, right) => (left.subscription_id < right.subscription_id ? -1 : 1));
  const unwilling = new Set<string>();
  const supabase: SupabaseProvider = {
    async call<S extends z.ZodType>(name: string, args: Record<string, unknown>, shape: S) {
      if (name === "keep_digest_recipients")
        return shape.parse(people.map(({ subscription_id: id }) => id).filter((id) => !unwilling.has(id)));
      const after = String(args.p_after ?? "");
      return shape.parse(people.filter(({ subscription_id: id }) => id > after).slice(0, Number(args.p_limit)));
    },
  };
  const parts: DigestParts = {
    supabase,
    resend: vendor.resend,
    ledger: createMailLedger({ table, now: clock.now }),
    flags: { isOn: async () => false },
    heartbeat: { beat: async () => {} },
    heartbeatId: undefined,
    table,
    claims: createWeekClaims({ table, now: clock.now }),
    content: createDigestContent({ table, now: clock.now }),
    settings: {
      brand: config.brand,
      senders: config.senders,
      apiUrl: "https://api.example.com",
      unsubscribeKey: "key",
    },
    audience: config.resend,
    digest: config.digest,
    stage: "test",
    now: clock.now,
  };
  await parts.claims.claim(week, owner, "batch");
  await parts.content.pin(week, digest);
  const input = { week, contentFrom: "2026-02-23", scheduledTime: "2026-03-02T09:00:00Z" };
  const context = (execution: string) => ({ execution, remainingMs: () => 800_000 });
  return {
    ...vendor,
    parts,
    people,
    clock,
    /** Blocked or unsubscribed, so not kept when a batch that is fixed already is looked at again. */
    unwilling,
    run: (by = owner, changes: Partial<DigestParts> = {}) =>
      deliverBatches({ ...parts, ...changes })(input, context(by)),
  };
}

test("a batch that fails lets the others of its group end before the task does, and only it is sent again", async () => {
  const week = "2026-W11";
  const { parts, run, outbox, close } = await prepare(
    week,
    "a",
    Array.from({ length: 350 }, (_, index) => `p${index}@example.com`),
  );
  const ended: string[] = [];
  const failsFirst = new Set([`digest/${week}/1`]);
  const ledger = {
    ...parts.ledger,
    send: async (send: Parameters<typeof parts.ledger.send>[0]) => {
      if (failsFirst.delete(send.key)) throw new Error("one fails at once");
      const result = await parts.ledger.send(send);
      ended.push(send.key);
      return result;
    },
  };
  await expect(run("a", { ledger })).rejects.toThrow("one fails at once");
  expect(ended.sort()).toEqual([`digest/${week}/0`, `digest/${week}/2`, `digest/${week}/3`]);
  expect(await run("a", { ledger })).toMatchObject({ done: true });
  const addresses = (await outbox()).flatMap(({ to }) => to);
  expect(addresses).toHaveLength(350);
  expect(new Set(addresses).size).toBe(350);
  expect(await parts.claims.read(week)).toMatchObject({ sent: 350, failed: 0, parked: 0, batches: 4 });
  await close();
});

test("a batch that a run without its lease stored meanwhile stays as it is: nobody gets two mails, nobody none", async () => {
  const week = "2026-W12";
  const { parts, people, run, outbox, close } = await prepare(week, "a", [
    "x@example.com",
    "y@example.com",
    "z@example.com",
  ]);
  const [first, second] = people;
  if (!first || !second) throw new Error("no people");
  let zombieWrote = false;
  // Between this run's look for the batch and its own write, the other one fixes it with two of the three.
  const table: StateTable = {
    ...parts.table,
    async get(key) {
      const found = await parts.table.get(key);
      if (key.sk === "batch#000000" && !found && !zombieWrote) {
        zombieWrote = true;
        await parts.table.create(key, { recipients: [first, second] });
      }
      return found;
    },
  };
  expect(await run("a", { table })).toMatchObject({ done: true });
  expect(await parts.table.get({ pk: `digest#${week}`, sk: "batch#000000" })).toMatchObject({
    recipients: [first, second],
  });
  expect((await outbox()).flatMap(({ to }) => to).sort()).toEqual(["x@example.com", "y@example.com", "z@example.com"]);
  await close();
});

test("a run whose week was taken over stops before it sends", async () => {
  const week = "2026-W13";
  const { run, outbox, close } = await prepare(week, "a", ["x@example.com"]);
  await expect(run("somebody else")).rejects.toMatchObject({ name: "LeaseLost" });
  expect(await outbox()).toEqual([]);
  await close();
});

test("with single mails everybody gets one by a call of their own, and the digest counts as before", async () => {
  const week = "2026-W14";
  const { parts, people, run, calls, close } = await prepare(week, "a", ["x@example.com", "y@example.com"]);
  const flags = { isOn: async (name: FlagName) => name === "digest-single-mails" };
  expect(await run("a", { flags })).toMatchObject({ done: true });
  expect((await calls()).map(({ path }) => path)).toEqual(people.map(() => "/emails"));
  expect(await parts.claims.read(week)).toMatchObject({ sent: 2, failed: 0, parked: 0, batches: 2 });
  await close();
});

test("one at a time, a batch is not begun before the one in front of it has ended", async () => {
  const week = "2026-W15";
  const addresses = Array.from({ length: 250 }, (_, index) => `p${index}@example.com`);
  const { parts, run, outbox, close } = await prepare(week, "a", addresses);
  let underWay = 0;
  const seen: number[] = [];
  const ledger = {
    ...parts.ledger,
    send: async (send: Parameters<typeof parts.ledger.send>[0]) => {
      underWay += 1;
      seen.push(underWay);
      const result = await parts.ledger.send(send);
      underWay -= 1;
      return result;
    },
  };
  const flags = { isOn: async (name: FlagName) => name === "digest-one-at-a-time" };
  expect(await run("a", { ledger, flags })).toMatchObject({ done: true });
  expect(seen).toEqual([1, 1, 1]);
  expect(new Set((await outbox()).flatMap(({ to }) => to)).size).toBe(250);
  await close();
});

test.each([
  ["on", false, "2026-W16"],
  ["off", true, "2026-W17"],
])(
  "when the flags are flipped %s after a call that got no answer, it is repeated as it was",
  async (_, first, week) => {
    const addresses = Array.from({ length: 7 }, (_each, index) => `p${index}@example.com`);
    const { run, providerOf, setFaults, outbox, calls, close } = await prepare(week, "a", addresses);
    let on = first;
    const changes = { flags: { isOn: async () => on }, resend: providerOf({ timeoutMs: 500 }) };
    await setFaults({ acceptThenTimeout: 1 });
    await expect(run("a", changes)).rejects.toMatchObject({ name: "ProviderUnavailable" });
    await setFaults({});
    on = !first;
    expect(await run("a", { flags: changes.flags })).toMatchObject({ done: true });
    expect((await outbox()).flatMap(({ to }) => to).sort()).toEqual(addresses);
    const [unanswered, ...others] = (await calls()).filter(({ path }) => path.startsWith("/emails"));
    expect(others[0]?.path).toBe(unanswered?.path);
    await close();
  },
);

test("a run that finds Resend closed has prepared one batch in vain, not a group", async () => {
  const week = "2026-W21";
  const addresses = Array.from({ length: 350 }, (_, index) => `p${index}@example.com`);
  const { parts, run, outbox, close } = await prepare(week, "a", addresses);
  const tried: string[] = [];
  const ledger = {
    ...parts.ledger,
    send: async (send: Parameters<typeof parts.ledger.send>[0]) => {
      tried.push(send.key);
      throw new Deferred("closed", 0);
    },
  };
  await expect(run("a", { ledger })).rejects.toMatchObject({ name: "Deferred" });
  expect(tried).toEqual([`digest/${week}/0`]);
  expect(await outbox()).toEqual([]);
  await close();
});

test("people who left while a batch waited for Resend get no mail, and are counted; the cursor passes them", async () => {
  const week = "2026-W18";
  const addresses = Array.from({ length: 101 }, (_, index) => `p${index}@example.com`);
  const { parts, people, unwilling, clock, run, outbox, close } = await prepare(week, "a", addresses);
  const closed = {
    ...parts.resend,
    acquire: async () => {
      throw new Deferred("nothing before noon", clock.now() + 3_600_000);
    },
  };
  await expect(run("a", { resend: closed })).rejects.toMatchObject({ name: "Deferred" });
  // The second batch is stored, too: by a run that died before it sent it.
  const last = people[100]?.subscription_id;
  await parts.table.create(
    { pk: `digest#${week}`, sk: "batch#000001" },
    { recipients: people.slice(100), suppressed: 0, through: last },
  );
  const gone = [people[3], people[99], people[100]].flatMap((person) => person ?? []);
  for (const { subscription_id: id } of gone) unwilling.add(id);
  expect(await run("a")).toEqual({ done: true, cursor: last });
  const served = people.filter((person) => !gone.includes(person)).map(({ email }) => email);
  expect((await outbox()).flatMap(({ to }) => to).sort()).toEqual(served.sort());
  expect(await parts.claims.read(week)).toMatchObject({ sent: 98, suppressed: 3, failed: 0, parked: 0, batches: 2 });
  await close();
});

test("a batch that Resend may have taken goes out again as it was, whoever left since", async () => {
  const week = "2026-W19";
  const { parts, people, unwilling, run, providerOf, setFaults, outbox, calls, close } = await prepare(week, "a", [
    "x@example.com",
    "y@example.com",
  ]);
  await setFaults({ acceptThenTimeout: 1 });
  await expect(run("a", { resend: providerOf({ timeoutMs: 500 }) })).rejects.toMatchObject({
    name: "ProviderUnavailable",
  });
  await setFaults({});
  unwilling.add(people[0]?.subscription_id ?? "");
  expect(await run("a")).toMatchObject({ done: true });
  const sent = (await calls()).filter(({ path }) => path.startsWith("/emails"));
  expect(sent.at(-1)?.status).toBe(200);
  expect((await outbox()).flatMap(({ to }) => to).sort()).toEqual(["x@example.com", "y@example.com"]);
  expect(await parts.claims.read(week)).toMatchObject({ sent: 2, suppressed: 0, parked: 0 });
  await close();
});

test("of a group that Resend cuts off in the middle nobody is lost and nobody served twice", async () => {
  const week = "2026-W20";
  const addresses = Array.from({ length: 450 }, (_, index) => `p${index}@example.com`);
  const { parts, clock, run, outbox, close } = await prepare(week, "a", addresses);
  let permits = 3;
  const resend = {
    ...parts.resend,
    acquire: async () => {
      permits -= 1;
      if (permits < 0) throw new Deferred("nothing before noon", clock.now() + 3_600_000);
    },
  };
  await expect(run("a", { resend })).rejects.toMatchObject({ name: "Deferred" });
  expect(await outbox()).toHaveLength(300);
  // The group that was cut off is gone on with as a whole; the ledger knows who of it is served.
  expect(await parts.claims.read(week)).toMatchObject({ batches: 1, sent: 100 });
  permits = 1;
  await expect(run("a", { resend })).rejects.toMatchObject({ name: "Deferred" });
  expect(await outbox()).toHaveLength(400);
  expect(await run("a")).toMatchObject({ done: true });
  expect(new Set((await outbox()).flatMap(({ to }) => to)).size).toBe(450);
  expect(await outbox()).toHaveLength(450);
  expect(await parts.claims.read(week)).toMatchObject({ batches: 5, sent: 450, failed: 0, parked: 0 });
  await close();
});
