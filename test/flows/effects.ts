import { createHash } from "node:crypto";
import { expect } from "vitest";
import { type Answer, send } from "./http.ts";
import type { FlowStation } from "./station.ts";

/** How many messages each queue got so far, once the station is quiet; without the sweeps, which run by themselves. */
export async function received(station: FlowStation): Promise<Record<string, number>> {
  await station.quiet();
  const { queues } = await station.report();
  return Object.fromEntries(
    Object.entries(queues).flatMap(([name, tally]) => (name.endsWith("-sweep") ? [] : [[name, tally.received]])),
  );
}

/** All that the station has done so far, once it is quiet: a fingerprint of each table's rows and of each vendor's state. */
export async function effects(station: FlowStation): Promise<Record<string, string>> {
  await station.quiet();
  const tables = await station.sql<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const [rows] = await station.sql<{ amount: string; hash: string | null }>(
      `select count(*) as amount, md5(string_agg(row::text, '' order by row::text)) as hash from "${name}" as row`,
    );
    found[`table ${name}`] = `${rows?.amount} ${rows?.hash ?? ""}`;
  }
  // The captcha remembers what it was asked: asking changes nothing for anybody.
  const { turnstile: _asked, ...vendors } = station.vendors;
  for (const [vendor, url] of Object.entries(vendors)) {
    const { text } = await send(`${url}/_state`);
    found[`vendor ${vendor}`] = createHash("md5").update(text).digest("hex");
  }
  return found;
}

/** Expects a problem body with this status. */
export function expectProblem(answer: Answer, status: number): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json()).toMatchObject({ status, correlation_id: expect.any(String) });
}
