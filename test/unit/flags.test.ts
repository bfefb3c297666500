import { AppConfigDataClient } from "@aws-sdk/client-appconfigdata";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { appConfigFlags } from "../../lambdas/providers/app-config.ts";
import { createFlags } from "../../lambdas/providers/flags.ts";
import { statsigFlags } from "../../lambdas/providers/statsig.ts";
import { startAppConfig } from "../../local/aws/appconfig.ts";
import { startStatsig } from "../../local/vendors/statsig.ts";
import type { FlagName } from "../../registry/flags.ts";
import { localAws } from "./state.ts";

const start = Date.parse("2026-03-02T09:00:00Z");
const off: Record<FlagName, boolean> = {
  "pulse-one-by-one": false,
  "digest-one-at-a-time": false,
  "digest-single-mails": false,
  "sequence-single-mails": false,
};
const closers: (() => Promise<void>)[] = [];

beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});
beforeEach(() => {
  // Powertools looks at the clock itself.
  vi.useFakeTimers({ toFake: ["Date"], now: start });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) await close();
});

describe("AppConfig", () => {
  const at = { ApplicationId: "app", EnvironmentId: "test", ConfigurationProfileId: "profile" };

  /** Flags as they are deployed, `overrides` to flip them, and how often somebody polled. */
  async function prepare(deployed: Record<string, boolean>, initially = off) {
    const overrides: Record<string, boolean> = {};
    let polls = 0;
    const Content = Object.fromEntries(Object.entries(deployed).map(([name, enabled]) => [name, { enabled }]));
    const service = await startAppConfig({
      versions: [
        {
          logicalId: "v1",
          name: "v1",
          properties: { ...at, Content, ContentType: "application/json" },
        },
      ],
      deployments: [{ logicalId: "d", name: "d", properties: { ...at, ConfigurationVersion: "v1" } }],
      overrides: async () => {
        polls += 1;
        return overrides;
      },
    });
    let open = true;
    const close = async () => {
      if (open) await service.close();
      open = false;
    };
    closers.push(close);
    const provider = appConfigFlags({
      application: "app",
      environment: "test",
      profile: "profile",
      client: new AppConfigDataClient({ ...localAws, endpoint: service.url, maxAttempts: 1 }),
    });
    const flags = await createFlags({ provider, stage: "test", initially });
    return { flags, overrides, close, polls: () => polls };
  }

  test("tells each flag as it is deployed", async () => {
    const { flags } = await prepare({ ...off, "pulse-one-by-one": true });
    expect(await flags.isOn("pulse-one-by-one")).toBe(true);
    expect(await flags.isOn("digest-single-mails")).toBe(false);
  });

  test("is asked once a minute, so a flip is seen within one", async () => {
    const { flags, overrides, polls } = await prepare(off);
    expect(await flags.isOn("pulse-one-by-one")).toBe(false);
    overrides["pulse-one-by-one"] = true;
    vi.setSystemTime(start + 59_000);
    expect(await flags.isOn("pulse-one-by-one")).toBe(false);
    expect(polls()).toBe(1);
    vi.setSystemTime(start + 61_000);
    expect(await flags.isOn("pulse-one-by-one")).toBe(true);
    // Nothing changed since: the answer is empty, and the flag stays.
    vi.setSystemTime(start + 122_000);
    expect(await flags.isOn("pulse-one-by-one")).toBe(true);
    expect(polls()).toBe(3);
  });

  test("that does not answer leaves a flag as it was read last", async () => {
    const { flags, close } = await prepare({ ...off, "pulse-one-by-one": true });
    await flags.isOn("pulse-one-by-one");
    await close();
    vi.setSystemTime(start + 61_000);
    expect(await flags.isOn("pulse-one-by-one")).toBe(true);
  });

  test("that never answered, or does not know the flag, leaves it as the config has it", async () => {
    const configured = { ...off, "digest-single-mails": true };
    const { flags, close } = await prepare({}, configured);
    expect(await flags.isOn("digest-single-mails")).toBe(true);
    await close();
    vi.setSystemTime(start + 61_000);
    expect(await flags.isOn("digest-single-mails")).toBe(true);
    expect(await flags.isOn("pulse-one-by-one")).toBe(false);
  });
});

describe("Statsig", () => {
  async function prepare(gates: Record<string, boolean>, { key = "secret-key", initially = off } = {}) {
    const standIn = await startStatsig({ apiKey: "secret-key", gates, now: Date.now });
    closers.push(standIn.close);
    const provider = statsigFlags({ baseUrl: standIn.url, apiKey: key, timeoutMs: 5_000, now: Date.now });
    const flags = await createFlags({ provider, stage: "test", initially });
    const read = async (path: string) => (await fetch(`${standIn.url}${path}`)).json();
    return {
      flags,
      set: (value: Record<string, boolean>) =>
        fetch(`${standIn.url}/_gates`, { method: "PUT", body: JSON.stringify(value) }),
      fail: () => fetch(`${standIn.url}/_faults`, { method: "PUT", body: JSON.stringify({ rate5xx: 1 }) }),
      events: async () => ((await read("/_state")) as { events: unknown[] }).events,
      checks: async () =>
        ((await read("/_calls")) as { path: string }[]).filter(({ path }) => path === "/v1/check_gate").length,
    };
  }

  test("has a flag on where its gate is open, and off where it does not know it, whatever the config says", async () => {
    const initially = { ...off, "digest-single-mails": true };
    const { flags } = await prepare({ "pulse-one-by-one": true }, { initially });
    expect(await flags.isOn("pulse-one-by-one")).toBe(true);
    expect(await flags.isOn("digest-single-mails")).toBe(false);
  });

  test("is asked once a minute for each flag, and told when it was seen to change", async () => {
    const { flags, set, events, checks } = await prepare({});
    await flags.isOn("pulse-one-by-one");
    await set({ "pulse-one-by-one": true });
    vi.setSystemTime(start + 59_000);
    expect(await flags.isOn("pulse-one-by-one")).toBe(false);
    for (const seconds of [61, 122]) {
      vi.setSystemTime(start + seconds * 1000);
      expect(await flags.isOn("pulse-one-by-one")).toBe(true);
    }
    expect(await checks()).toBe(3);
    const seen = { eventName: "flag_seen", userId: "test", metadata: { flag: "pulse-one-by-one" } };
    expect(await events()).toMatchObject([
      { ...seen, value: "false" },
      { ...seen, value: "true" },
    ]);
  });

  test("that fails or refuses the key leaves a flag as it was", async () => {
    const failing = await prepare({ "pulse-one-by-one": true });
    await failing.flags.isOn("pulse-one-by-one");
    await failing.fail();
    vi.setSystemTime(start + 61_000);
    expect(await failing.flags.isOn("pulse-one-by-one")).toBe(true);

    const refusing = await prepare({ "pulse-one-by-one": true }, { key: "another" });
    expect(await refusing.flags.isOn("pulse-one-by-one")).toBe(false);
  });
});
