import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { breakFunction } from "./broken-function.ts";
import { send } from "./http.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { fireSchedule, run } from "./workflow-runs.ts";

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
const readers = ["ada@example.com", "bea@example.com"];

beforeAll(async () => {
  station = await startFlowStation();
  await station.sql(
    `insert into newsletter_subscriptions (email, status, confirmed, consent_given, subscribed_at)
     select unnest($1::text[]), 'active', true, true, now()`,
    [readers],
  );
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

/** How often a signal was counted, as CloudWatch reads it from the functions' logs. */
async function counted(signal: string): Promise<number> {
  const lines = (await readFile(join(station.home, "station.log"), "utf8")).split("\n");
  const metrics = lines.filter((line) => line.includes(`"_aws"`) && line.includes(`"${signal}"`));
  return metrics.length;
}

const recipients = async () => (await station.outbox()).flatMap(({ to }) => to).sort();
const lastBeat = async () =>
  (await send(`${station.vendors.heartbeat}/_state`)).json<{ beats: { failed: boolean }[] }>().beats.at(-1);

describe("When the database cannot say what is in the digest", () => {
  test("what the last rehearsal of the same week saw is sent, and an alarm goes off", async () => {
    const rehearsal = await fireSchedule(station, "digest", "digest-rehearsal", "2026-11-22T06:00:00Z");
    expect(rehearsal.end).toBe("Rehearsed");
    expect(await station.outbox()).toEqual([]);
    const mend = await breakFunction(station, "get_weekly_digest");
    const ended = await run(station, "digest", { scheduled_time: "2026-11-23T09:00:00Z", mode: "batch" });
    await mend();
    expect(ended.states).toContain("Use Last Good");
    expect(ended.end).toBe("Digest Done");
    expect(await recipients()).toEqual(readers);
    for (const { html } of await station.outbox()) expect(html).toContain("November 16 - 22, 2026");
    expect(await counted("digest-last-good-used")).toBe(1);
  });

  test("a week without a rehearsal fails by name, the monitor hears of it, and the next start sends it", async () => {
    const before = await recipients();
    const wish = { scheduled_time: "2026-11-16T09:00:00Z", mode: "batch" as const };
    const mend = await breakFunction(station, "get_weekly_digest");
    const failed = await run(station, "digest", wish);
    await mend();
    expect(failed).toMatchObject({ status: "FAILED", error: "DigestFailed" });
    expect(failed.states).toContain("Use Last Good");
    expect(await recipients()).toEqual(before);
    expect(await lastBeat()).toMatchObject({ failed: true });
    expect(await station.item("digest#2026-W47", "claim")).toMatchObject({ state: "failed" });

    expect((await run(station, "digest", wish)).end).toBe("Digest Done");
    expect(await recipients()).toEqual([...before, ...readers].sort());
    expect(await lastBeat()).toMatchObject({ failed: false });
  });
});

test("an empty week sends nothing and raises an alarm; once there is content a later start sends it", async () => {
  const before = await recipients();
  const wish = { scheduled_time: "2026-01-12T09:00:00Z", mode: "batch" as const };
  const empty = await run(station, "digest", wish);
  expect(empty.states).toContain("Release Empty Week");
  expect(empty.end).toBe("Digest Done");
  expect(await recipients()).toEqual(before);
  expect(await counted("digest-empty")).toBe(1);
  expect(await station.sql("select from digest_runs where week = '2026-W03'")).toEqual([]);

  await station.sql(
    `insert into content (category, slug, title, description, author, date_added)
     values ('guides', 'winter-reading', 'Winter Reading', 'What to read', 'Ada Example', '2026-01-07')`,
  );
  expect((await run(station, "digest", wish)).end).toBe("Digest Done");
  expect(await recipients()).toEqual([...before, ...readers].sort());
  expect((await station.outbox()).at(-1)?.html).toContain("Winter Reading");
});
