import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { createBodyBudget } from "../../local/vendors/body-budget.ts";
import { createCallLog } from "../../local/vendors/call-log.ts";
import { startHeartbeat } from "../../local/vendors/heartbeat.ts";
import { type Exchange, openRecording } from "../../local/vendors/recording.ts";
import { type StandIn, startStandIn, type VendorEnv } from "../../local/vendors/stand-in.ts";

const AT = Date.parse("2026-03-02T09:00:00Z");
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

type TestCall = { seq: number; path: string; status: number | null; fault?: string; body: unknown };

/** A vendor that keeps the words it is told and lists them. */
async function startWords(options: { seed?: number; record?: (exchange: Exchange) => void } = {}) {
  const words: { word: string; at: number }[] = [];
  let built = 0;
  const routes = new Hono<VendorEnv>().post("/words", async (c) => {
    const { word } = (await c.req.json()) as { word: string };
    words.push({ word, at: AT });
    return c.json({ word, token: "issued" }, 201);
  });
  const standIn = await startStandIn({
    vendor: "words",
    publishedUrl: "https://api.words.example",
    routes,
    state: {
      words: () => words,
      expensive: () => {
        built += 1;
        return [];
      },
    },
    now: () => AT,
    ...options,
  });
  running.push(standIn);
  return {
    ...standIn,
    words,
    built: () => built,
    say: (word: string, init: RequestInit = {}) =>
      fetch(`${standIn.url}/words`, { method: "POST", body: JSON.stringify({ word }), ...init }),
    setFaults: (faults: unknown) => fetch(`${standIn.url}/_faults`, { method: "PUT", body: JSON.stringify(faults) }),
    calls: async (query = "") => (await (await fetch(`${standIn.url}/_calls${query}`)).json()) as TestCall[],
  };
}

describe("calls and recordings", () => {
  it("show each exchange, newest last, with credentials hidden", async () => {
    const recorded: Exchange[] = [];
    const { url, calls } = await startWords({ record: (exchange) => recorded.push(exchange) });
    await fetch(`${url}/words?lang=en`, {
      method: "POST",
      headers: {
        authorization: "Bearer re_live_1",
        "svix-signature": "v1,abc",
        "webhook-signature": "v1,abc",
        "x-correlation-id": "c-1",
        "idempotency-key": "k-1",
      },
      body: JSON.stringify({ word: "ox", auth: { secret: "hunter2" } }),
    });
    await fetch(`${url}/nowhere`);

    const seen = await calls();
    expect(seen).toMatchObject([
      {
        seq: 1,
        at: "2026-03-02T09:00:00.000Z",
        method: "POST",
        path: "/words?lang=en",
        headers: { authorization: "[redacted]", "svix-signature": "[redacted]", "idempotency-key": "k-1" },
        body: { word: "ox", auth: { secret: "[redacted]" } },
        status: 201,
        response: { word: "ox", token: "[redacted]" },
        correlationId: "c-1",
      },
      { seq: 2, method: "GET", path: "/nowhere", status: 404, body: null, correlationId: null },
    ]);
    expect(await calls("?after=1")).toEqual(seen.slice(1));
    expect(recorded[0]).toMatchObject({
      vendor: "words",
      url: "https://api.words.example/words?lang=en",
      status: 201,
      correlationId: "c-1",
    });
    expect(JSON.stringify([recorded, seen])).not.toMatch(/re_live_1|hunter2|v1,abc|issued/);
  });

  it("show a form's fields by name, its credentials hidden", async () => {
    const { url, calls } = await startWords();
    const form = new URLSearchParams({ secret: "hunter2", response: "ok-1" });
    await fetch(`${url}/nowhere`, { method: "POST", body: form });
    expect((await calls()).map(({ body }) => body)).toEqual([{ secret: "[redacted]", response: "ok-1" }]);
  });

  it("are appended to a file one line each, which only its owner can read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "recording-"));
    const path = join(folder, "exchanges.ndjson");
    for (const word of ["ox", "yak"]) {
      const recording = openRecording(path);
      const { say, close } = await startWords({ record: recording.record });
      await say(word);
      await close();
      recording.close();
    }
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).body.word)).toEqual(["ox", "yak"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    rmSync(folder, { recursive: true });
  });

  it("keep the newest calls only, and let go of old bodies before that", () => {
    const log = createCallLog(3, 10);
    for (let n = 1; n <= 8; n += 1) {
      log.add(
        { at: "", method: "GET", path: `/${n}`, headers: {}, body: n, status: 200, response: n, correlationId: null },
        4,
      );
    }
    expect(log.after(0).map(({ path, body }) => [path, body])).toEqual([
      ["/6", null],
      ["/7", 7],
      ["/8", 8],
    ]);
  });

  it("drop the oldest bodies first and never the newest", () => {
    const dropped: string[] = [];
    const budget = createBodyBudget(5);
    for (const name of ["a", "b", "c"]) budget.hold(2, () => dropped.push(name));
    budget.hold(100, () => dropped.push("d"));
    expect(dropped).toEqual(["a", "b", "c"]);
  });
});

describe("state", () => {
  it("gives one part, or some fields of it, without building the rest", async () => {
    const { url, say, built } = await startWords();
    await say("ox");
    const read = async (query: string) => (await fetch(`${url}/_state${query}`)).json();
    expect(await read("?only=words&fields=word")).toEqual({ words: [{ word: "ox" }] });
    expect(built()).toBe(0);
    expect(await read("")).toEqual({ words: [{ word: "ox", at: AT }], expensive: [] });
    const unknown = await fetch(`${url}/_state?only=wrods`);
    expect([unknown.status, await unknown.text()]).toEqual([400, expect.stringContaining("words, expensive")]);
  });
});

describe("faults", () => {
  it.each([
    [{ rate500: 1 }, "rate500"],
    [{ rate429: 1.5 }, "rate429"],
    [{ latencyMs: -1 }, "latencyMs"],
    [{ limit: 0 }, "limit"],
    ["not an object", "object"],
  ])("that make no sense are refused by name and change nothing: %j", async (faults, named) => {
    const { url, setFaults } = await startWords();
    await setFaults({ rate429: 0.5 });
    const answer = await setFaults(faults);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(named)]);
    expect(await (await fetch(`${url}/_faults`)).json()).toEqual({ rate429: 0.5 });
  });

  it("are cleared by an empty object", async () => {
    const { say, setFaults } = await startWords();
    await setFaults({ rate5xx: 1 });
    expect((await say("ox")).status).toBe(500);
    await setFaults({});
    expect((await say("ox")).status).toBe(201);
  });

  it.each([
    ["reset", { reset: 1 }, 0],
    ["hang", { hang: true }, 0],
    ["acceptThenTimeout", { acceptThenTimeout: 1 }, 1],
  ] as const)("%s gives the caller no answer", async (fault, faults, wordsKept) => {
    const { say, setFaults, calls, words } = await startWords();
    await setFaults(faults);
    await expect(say("ox", { signal: AbortSignal.timeout(100) })).rejects.toThrow();
    expect(words).toHaveLength(wordsKept);
    expect(await calls()).toMatchObject([{ status: null, response: null, fault, body: { word: "ox" } }]);
  });

  it("429 and 500 come without the work being done", async () => {
    const { say, setFaults, words } = await startWords();
    await setFaults({ rate429: 1 });
    const limited = await say("ox");
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "1"]);
    await setFaults({ rate5xx: 1 });
    expect((await say("ox")).status).toBe(500);
    expect(words).toEqual([]);
  });

  it("latency delays the answer", async () => {
    const { say, setFaults } = await startWords();
    await setFaults({ latencyMs: 60 });
    const before = performance.now();
    await say("ox");
    // Timers may fire up to a millisecond early.
    expect(performance.now() - before).toBeGreaterThanOrEqual(59);
  });

  it("fall the same way for the same seed, and another rate does not move them", async () => {
    const statuses = async (seed: number, faults: object) => {
      const { say, setFaults } = await startWords({ seed });
      await setFaults(faults);
      const seen: number[] = [];
      for (let n = 0; n < 30; n += 1)
        seen.push(
          await say("ox").then(
            ({ status }) => status,
            () => 0,
          ),
        );
      return seen;
    };
    const first = await statuses(7, { rate429: 0.3 });
    expect(new Set(first)).toEqual(new Set([201, 429]));
    expect(await statuses(7, { rate429: 0.3 })).toEqual(first);
    expect(await statuses(8, { rate429: 0.3 })).not.toEqual(first);
    const resets = await statuses(7, { reset: 0.3 });
    expect(new Set(resets)).toEqual(new Set([0, 201]));
    const withErrors = await statuses(7, { rate429: 0.3, rate5xx: 0.5 });
    expect(withErrors.map((status) => status === 429)).toEqual(first.map((status) => status === 429));
  });
});

describe("closing", () => {
  it.each([
    ["a hanging request", { hang: true }],
    ["an accepted request", { acceptThenTimeout: 1 }],
    ["a delayed request", { latencyMs: 60_000 }],
  ])("does not wait for %s", async (_, faults) => {
    const recorded: Exchange[] = [];
    const { say, setFaults, close, words, calls } = await startWords({ record: (exchange) => recorded.push(exchange) });
    await setFaults(faults);
    const failed = expect(say("ox")).rejects.toThrow();
    await expect.poll(async () => words.length + (await calls()).length).toBeGreaterThan(0);
    const before = performance.now();
    await close();
    await failed;
    expect(performance.now() - before).toBeLessThan(2_000);
    // Nothing goes on in secret: the delayed request has come to its end as well.
    await expect.poll(() => recorded).toHaveLength(1);
  });

  it("frees the port, which can be asked for by number", async () => {
    const first = await startWords();
    await first.close();
    const port = Number(new URL(first.url).port);
    const options = { vendor: "words", publishedUrl: "https://api.words.example", state: {}, now: () => AT, port };
    running.push(await startStandIn({ ...options, routes: new Hono<VendorEnv>() }));
    await expect(startStandIn({ ...options, routes: new Hono<VendorEnv>() })).rejects.toThrow("EADDRINUSE");
  });
});

describe("the heartbeat", () => {
  it("keeps each beat by GET, HEAD or POST and tells failures apart", async () => {
    const standIn = await startHeartbeat({ now: () => AT });
    running.push(standIn);
    const statuses = [
      await fetch(`${standIn.url}/weekly`),
      await fetch(`${standIn.url}/weekly`, { method: "HEAD" }),
      await fetch(`${standIn.url}/sequence/fail`, { method: "POST", body: "RPC failed" }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200]);
    const at = "2026-03-02T09:00:00.000Z";
    expect(await (await fetch(`${standIn.url}/_state`)).json()).toEqual({
      beats: [
        { id: "weekly", at, failed: false, note: "" },
        { id: "weekly", at, failed: false, note: "" },
        { id: "sequence", at, failed: true, note: "RPC failed" },
      ],
    });
  });
});
