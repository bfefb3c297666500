import { afterEach, describe, expect, it } from "vitest";
import type { Exchange } from "../../local/vendors/recording.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { type StatsigOptions, startStatsig } from "../../local/vendors/statsig.ts";
import { createClock } from "./resend-setup.ts";

const KEY = "secret-key-of-the-test";
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

async function start(options: Partial<StatsigOptions> = {}) {
  const standIn = await startStatsig({ apiKey: KEY, now: createClock().now, ...options });
  running.push(standIn);
  const send = async (method: string, path: string, body: unknown, key = KEY) => {
    const headers = { "statsig-api-key": key };
    const answer = await fetch(standIn.url + path, { method, body: JSON.stringify(body), headers });
    return { status: answer.status, body: await answer.json() };
  };
  return {
    send,
    check: (gateName: string) => send("POST", "/v1/check_gate", { gateName, user: { userID: "station" } }),
    state: async () => (await fetch(`${standIn.url}/_state`)).json(),
  };
}

describe("a gate", () => {
  it("is open only where it was set so", async () => {
    const { check } = await start({ gates: { "batched-digest": true, "batched-pulse": false } });
    expect((await check("batched-digest")).body).toEqual({
      name: "batched-digest",
      value: true,
      rule_id: "everyone",
      group_name: "Everyone",
    });
    for (const name of ["batched-pulse", "unheard-of", "toString"]) {
      expect((await check(name)).body).toEqual({ name, value: false, rule_id: null, group_name: null });
    }
  });

  it("can be set while running, without a trace in a recording", async () => {
    const recorded: Exchange[] = [];
    const { send, check, state } = await start({ record: (exchange) => recorded.push(exchange) });
    expect((await send("PUT", "/_gates", { "batched-digest": true })).status).toBe(200);
    expect((await check("batched-digest")).body).toMatchObject({ value: true });
    expect((await send("PUT", "/_gates", { "batched-digest": "yes" })).status).toBe(400);
    expect(await state()).toMatchObject({ gates: { "batched-digest": true } });
    expect(recorded.map(({ url }) => url)).toEqual(["https://api.statsig.com/v1/check_gate"]);
    expect(JSON.stringify(recorded)).not.toContain(KEY);
  });
});

describe("events", () => {
  it("are kept as they come", async () => {
    const { send, state } = await start();
    const event = { eventName: "digest_sent", user: { userID: "station" }, value: 3, metadata: { week: "2026-W10" } };
    expect(await send("POST", "/v1/log_event", { events: [event, { eventName: "bare" }] })).toEqual({
      status: 202,
      body: { success: true },
    });
    const at = "2026-03-02T09:00:00.000Z";
    expect(await state()).toMatchObject({
      events: [
        { at, eventName: "digest_sent", userId: "station", value: 3, metadata: { week: "2026-W10" } },
        { at, eventName: "bare", userId: null, value: null, metadata: null },
      ],
    });
  });
});

describe("a request", () => {
  it.each([
    ["/v1/check_gate", {}],
    ["/v1/check_gate", { gateName: "g", user: {} }],
    ["/v1/check_gate", { gateName: "batched-digest" }],
    ["/v1/log_event", { events: {} }],
    ["/v1/log_event", { events: [{ user: {} }] }],
  ])("that makes no sense is refused: %s %j", async (path, body) => {
    const { send } = await start();
    expect((await send("POST", path, body)).status).toBe(400);
  });

  it("needs the key", async () => {
    const { send } = await start();
    for (const path of ["/v1/check_gate", "/v1/log_event"]) {
      expect((await send("POST", path, {}, "another")).status).toBe(401);
    }
  });
});
