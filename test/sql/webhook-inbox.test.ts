import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";
import { overlap } from "./overlap.ts";

const T0 = "2026-11-02T10:00:00.000Z";
const T0_PLUS_61S = "2026-11-02T10:01:01.000Z";

type Received = { webhook_event_id: string; state: string };
type Run = { state: string; run_id: string | null; attempt: number; type: string; data: unknown };

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

const receive = (p_dedupe_key: string, args: Record<string, unknown> = {}) =>
  db.call<Received>("receive_webhook_event", {
    p_source: "polar",
    p_dedupe_key,
    p_type: "order.paid",
    p_occurred_at: T0,
    p_data: { type: "order.paid" },
    p_now: T0,
    ...args,
  });
const start = (p_webhook_event_id: string, p_now = T0) =>
  db.call<Run | null>("start_webhook_event_run", { p_webhook_event_id, p_lease_seconds: 60, p_now });
const finish = (p_run_id: string | null | undefined, p_status: string, p_error: string | null = null) =>
  db.call<{ processed: boolean }>("finish_webhook_event_run", {
    p_run_id,
    p_status,
    p_error,
    p_metadata: null,
    p_related_id: null,
    p_now: T0,
  });

describe("receiving", () => {
  it("stores an event once, however many deliveries arrive at once", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => receive("race")));
    expect(answers.filter((answer) => answer.state === "new")).toHaveLength(1);
    expect(answers.filter((answer) => answer.state === "pending")).toHaveLength(19);
    expect(new Set(answers.map((answer) => answer.webhook_event_id)).size).toBe(1);
  });

  it("keeps the same key of two vendors apart, and a type nobody knows yet", async () => {
    const one = await receive("same-key");
    const other = await receive("same-key", { p_source: "resend", p_type: "email.teleported" });
    expect(other).toMatchObject({ state: "new" });
    expect(other.webhook_event_id).not.toBe(one.webhook_event_id);
    expect(await db.call("get_webhook_event", { p_webhook_event_id: other.webhook_event_id })).toMatchObject({
      source: "resend",
      type: "email.teleported",
      processed: false,
    });
  });
});

describe("working on an event", () => {
  it("that failed makes the vendor's retry work again, not a duplicate (D-15)", async () => {
    const { webhook_event_id } = await receive("fails-once");
    const first = await start(webhook_event_id);
    expect(first).toMatchObject({ state: "started", attempt: 1, type: "order.paid", data: { type: "order.paid" } });
    expect(await finish(first?.run_id, "failed", "database away")).toEqual({ webhook_event_id, processed: false });

    expect(await receive("fails-once")).toEqual({ webhook_event_id, state: "pending" });
    const second = await start(webhook_event_id);
    expect(second).toMatchObject({ state: "started", attempt: 2 });
    expect(await finish(second?.run_id, "succeeded")).toEqual({ webhook_event_id, processed: true });

    expect(await receive("fails-once")).toEqual({ webhook_event_id, state: "processed" });
    expect(await start(webhook_event_id)).toMatchObject({ state: "processed", run_id: null });
    const runs = await db.query(
      "select attempt, status, error from public.webhook_event_runs where webhook_event_id = $1 order by attempt",
      [webhook_event_id],
    );
    expect(runs).toEqual([
      { attempt: 1, status: "failed", error: "database away" },
      { attempt: 2, status: "succeeded", error: null },
    ]);
  });

  it("is one worker's at a time", async () => {
    const { webhook_event_id } = await receive("two-workers");
    const runs = await Promise.all(Array.from({ length: 10 }, () => start(webhook_event_id)));
    expect(runs.filter((run) => run?.state === "started")).toHaveLength(1);
    expect(runs.filter((run) => run?.state === "running")).toHaveLength(9);
  });

  it("is left alone by a worker that looks while another begins", async () => {
    const { webhook_event_id } = await receive("overlap");
    const other = { text: "select public.start_webhook_event_run($1, 60, $2)", values: [webhook_event_id, T0] };
    expect(await overlap(db, other, () => start(webhook_event_id))).toMatchObject({ state: "running", attempt: 1 });
  });

  it("passes to another worker when the first died with it", async () => {
    const { webhook_event_id } = await receive("dies");
    const dead = await start(webhook_event_id);
    expect(await start(webhook_event_id)).toMatchObject({ state: "running", run_id: null });
    const heir = await start(webhook_event_id, T0_PLUS_61S);
    expect(heir).toMatchObject({ state: "started", attempt: 2 });

    // The dead one was only slow: its failure must not end the run that took over, its success does count.
    expect(await finish(dead?.run_id, "failed", "late")).toMatchObject({ processed: false });
    expect(await start(webhook_event_id, T0_PLUS_61S)).toMatchObject({ state: "running" });
    expect(await finish(dead?.run_id, "succeeded")).toMatchObject({ processed: true });
    expect(await finish(heir?.run_id, "failed", "too late")).toMatchObject({ processed: true });
    expect(await start(webhook_event_id, T0_PLUS_61S)).toMatchObject({ state: "processed" });
  });

  it("ends once: a success that is repeated or contradicted stays a success", async () => {
    const { webhook_event_id } = await receive("repeated");
    const run = await start(webhook_event_id);
    await finish(run?.run_id, "succeeded");
    expect(await finish(run?.run_id, "succeeded")).toMatchObject({ processed: true });
    expect(await finish(run?.run_id, "failed", "no")).toMatchObject({ processed: true });
    expect(await db.call("get_webhook_event", { p_webhook_event_id: webhook_event_id })).toMatchObject({ error: null });
  });

  it("says so when there is no such event or run", async () => {
    const nobody = "00000000-0000-4000-8000-000000000000";
    expect(await start(nobody)).toBeNull();
    await expect(finish(nobody, "succeeded")).rejects.toMatchObject({ code: "22023" });
    await expect(finish(nobody, "perhaps")).rejects.toMatchObject({ code: "22023" });
  });
});
