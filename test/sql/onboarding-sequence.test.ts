import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS, type Subscribed } from "./database.ts";

const START = Date.parse("2026-10-20T08:00:00.000Z");
const DAY_MS = 86_400_000;
const at = (days: number, seconds = 0) => new Date(START + days * DAY_MS + seconds * 1000).toISOString();

type Claimed = {
  batch_id: string;
  schedule_id: string;
  subscription_id: string;
  email: string;
  step: number;
  first_claim: boolean;
  mailable: boolean;
};
type Counts = { sent: number; failed: number; suppressed: number; scheduled: number };

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());
beforeEach(async () => {
  await db.query(
    "truncate public.newsletter_subscriptions, public.email_sequence_batches, public.email_blocklist cascade",
  );
});

const enrol = (...names: string[]) =>
  Promise.all(
    names.map((name) => db.call<Subscribed>("subscribe_newsletter", { p_email: `${name}@example.com`, p_now: at(0) })),
  );
const claim = (p_now: string, p_limit = 100, p_owner: string = randomUUID(), p_except: string[] = []) =>
  db.rows<Claimed>("claim_due_sequence_emails", { p_now, p_limit, p_lease_seconds: 300, p_owner, p_except });
const complete = (rows: Claimed[], p_now: string, outcome = "sent", error?: string) =>
  db.call<Counts>("complete_sequence_batch", {
    p_batch_id: rows[0]?.batch_id,
    p_outcomes: rows.map((row) => ({ schedule_id: row.schedule_id, outcome, error })),
    p_now,
  });
const sequences = () =>
  db.query("select email, status, current_step, last_sent_at from public.email_sequences order by email");

describe("the days of the sequence", () => {
  it("sends steps 2 to 5 on days 2, 5, 9 and 14 after sign-up, however late the runs are", async () => {
    await enrol("ada");
    const lateBySeconds = 7 * 3600;
    for (const [step, day] of [
      [2, 2],
      [3, 5],
      [4, 9],
      [5, 14],
    ] as const) {
      expect(await claim(at(day, -1))).toEqual([]);
      const due = await claim(at(day, lateBySeconds));
      expect(due.map((row) => [row.email, row.step, row.first_claim])).toEqual([["ada@example.com", step, true]]);
      expect(await complete(due, at(day, lateBySeconds))).toEqual({
        sent: 1,
        failed: 0,
        suppressed: 0,
        scheduled: step < 5 ? 1 : 0,
      });
    }
    expect(await sequences()).toEqual([
      { email: "ada@example.com", status: "completed", current_step: 5, last_sent_at: new Date(at(14, lateBySeconds)) },
    ]);
    expect(await claim(at(400))).toEqual([]);
  });
});

describe("claiming", () => {
  it("takes the oldest first and no more than the limit", async () => {
    await enrol("a", "b", "c");
    await db.query(
      "update public.email_sequence_schedule set due_at = due_at - interval '1 hour' where email like 'c@%'",
    );
    const first = await claim(at(3), 1);
    expect(first.map((row) => row.email)).toEqual(["c@example.com"]);
    expect(await claim(at(3), 5)).toHaveLength(2);
    expect(await claim(at(3), 5)).toEqual([]);
  });

  it("gives twelve claimers at once every due row exactly once", async () => {
    await enrol(...Array.from({ length: 100 }, (_, index) => `person-${index}`));
    const claims = await Promise.all(Array.from({ length: 12 }, (_, index) => claim(at(3), 9, `claimer-${index}`)));
    const ids = claims.flat().map((row) => row.schedule_id);
    expect(new Set(ids).size).toBe(ids.length);
    for (let rest = await claim(at(3), 9); rest.length > 0; rest = await claim(at(3), 9))
      ids.push(...rest.map((row) => row.schedule_id));
    expect([ids.length, new Set(ids).size]).toEqual([100, 100]);
  });

  it("gives the same batch with the same rows again once its lease has run out, and to one claimer only", async () => {
    await enrol("a", "b", "c");
    const first = await claim(at(3), 2);
    expect(await claim(at(3, 299), 1)).toHaveLength(1);
    const again = await Promise.all([claim(at(3, 300), 100, "second"), claim(at(3, 300), 100, "third")]);
    const winner = again.filter((rows) => rows.length > 0 && rows[0]?.batch_id === first[0]?.batch_id);
    expect(winner).toEqual([first.map((row) => ({ ...row, first_claim: false }))]);
  });

  it("judges what is due by the run's time and a lease by the clock", async () => {
    await enrol("a");
    const at3 = (p_owner: string, p_clock: string, p_now = at(3)) =>
      db.rows<Claimed>("claim_due_sequence_emails", { p_now, p_limit: 100, p_lease_seconds: 300, p_owner, p_clock });
    const [first] = await at3("run", at(9));
    expect(first?.email).toBe("a@example.com");
    expect(await at3("later", at(9, 299), at(30))).toEqual([]);
    // A run that waits renews its lease.
    await at3("run", at(9, 200));
    expect(await at3("later", at(9, 300))).toEqual([]);
    expect(await at3("later", at(9, 500))).toMatchObject([{ batch_id: first?.batch_id, first_claim: false }]);
  });

  it("gives a run its own unfinished batch again at once, unless it asks for others only", async () => {
    await enrol("a", "b", "c");
    const first = await claim(at(3), 2, "run");
    const batchId = first[0]?.batch_id ?? "";
    const others = await claim(at(3), 2, "run", [batchId]);
    expect(others.map((row) => row.first_claim)).toEqual([true]);
    expect(others[0]?.batch_id).not.toBe(batchId);
    const again = await claim(at(3), 2, "run", [others[0]?.batch_id ?? ""]);
    expect(again).toEqual(first.map((row) => ({ ...row, first_claim: false })));
  });

  it("tells who in a batch taken up again has unsubscribed since, and forgets who was settled", async () => {
    const [ada] = await enrol("a", "b");
    const first = await claim(at(3), 100, "run");
    expect(first.every((row) => row.mailable)).toBe(true);
    const unsubscription = { p_subscription_id: ada?.subscription_id, p_reason: "link", p_now: at(3, 10) };
    await db.call("unsubscribe_newsletter", unsubscription);
    const again = await claim(at(3), 100, "run");
    const unwilling = again.filter((row) => !row.mailable);
    expect(unwilling.map((row) => row.email)).toEqual(["a@example.com"]);
    await complete(unwilling, at(3), "suppressed");
    expect((await claim(at(3), 100, "run")).map((row) => row.email)).toEqual(["b@example.com"]);
  });

  it("keeps a batch whole although somebody in it unsubscribes or others become due", async () => {
    const [ada] = await enrol("a", "b");
    const first = await claim(at(3));
    await db.call("unsubscribe_newsletter", {
      p_subscription_id: ada?.subscription_id,
      p_reason: "link",
      p_now: at(3, 10),
    });
    await enrol("later");
    const again = await claim(at(4), 100);
    expect(again.map((row) => row.schedule_id)).toEqual(first.map((row) => row.schedule_id));
    expect(await complete(again, at(4))).toEqual({ sent: 2, failed: 0, suppressed: 0, scheduled: 1 });
    const states = await db.query(
      "select email, status from public.email_sequences where email <> 'later@example.com' order by email",
    );
    expect(states).toEqual([
      { email: "a@example.com", status: "cancelled" },
      { email: "b@example.com", status: "active" },
    ]);
  });

  it("leaves out whoever may not get mail", async () => {
    await enrol("ok", "blocked", "gone");
    await db.query(
      "insert into public.email_blocklist (email, reason) values ('blocked@example.com', 'spam_complaint')",
    );
    await db.query("update public.newsletter_subscriptions set status = 'bounced' where email = 'gone@example.com'");
    expect((await claim(at(3))).map((row) => row.email)).toEqual(["ok@example.com"]);
  });
});

describe("suppressing", () => {
  it("closes what is due to those who may not get mail, counts it, and stops their sequence", async () => {
    await enrol("ok", "blocked", "gone");
    await db.query(
      "insert into public.email_blocklist (email, reason) values ('blocked@example.com', 'spam_complaint')",
    );
    await db.query("update public.newsletter_subscriptions set status = 'bounced' where email = 'gone@example.com'");
    expect(await db.call("suppress_due_sequence_emails", { p_now: at(1) })).toBe(0);
    expect(await db.call("suppress_due_sequence_emails", { p_now: at(3) })).toBe(2);
    expect(await db.call("suppress_due_sequence_emails", { p_now: at(3) })).toBe(0);
    const closed = await db.query(
      "select email, outcome, processed_at from public.email_sequence_schedule where processed order by email",
    );
    expect(closed).toEqual([
      { email: "blocked@example.com", outcome: "suppressed", processed_at: new Date(at(3)) },
      { email: "gone@example.com", outcome: "suppressed", processed_at: new Date(at(3)) },
    ]);
    expect((await sequences()).map((row) => row.status)).toEqual(["cancelled", "cancelled", "active"]);
  });
});

describe("completing", () => {
  it("changes nothing the second time", async () => {
    await enrol("a", "b");
    const rows = await claim(at(3));
    expect(await complete(rows, at(3))).toEqual({ sent: 2, failed: 0, suppressed: 0, scheduled: 2 });
    const before = await db.query("select * from public.email_sequence_schedule order by id");
    expect(await complete(rows, at(4), "failed")).toEqual({ sent: 0, failed: 0, suppressed: 0, scheduled: 0 });
    expect(await db.query("select * from public.email_sequence_schedule order by id")).toEqual(before);
  });

  it("settles each row once when two owners report at once", async () => {
    await enrol("a", "b", "c");
    const rows = await claim(at(3));
    const counts = await Promise.all(Array.from({ length: 8 }, () => complete(rows, at(3))));
    expect(counts.map((count) => count.sent).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 3]);
  });

  it("ends the sequence of a failed or suppressed mail and keeps the error", async () => {
    await enrol("a", "b");
    const rows = await claim(at(3));
    const outcomes = rows.map((row, index) => ({
      schedule_id: row.schedule_id,
      outcome: index ? "suppressed" : "failed",
      error: index ? undefined : "422 invalid",
    }));
    const counts = await db.call("complete_sequence_batch", {
      p_batch_id: rows[0]?.batch_id,
      p_outcomes: outcomes,
      p_now: at(3),
    });
    expect(counts).toEqual({ sent: 0, failed: 1, suppressed: 1, scheduled: 0 });
    expect((await sequences()).map((row) => [row.status, row.current_step])).toEqual([
      ["cancelled", 1],
      ["cancelled", 1],
    ]);
    expect(await db.query("select error from public.email_sequence_schedule where outcome = 'failed'")).toEqual([
      { error: "422 invalid" },
    ]);
    expect(await claim(at(30))).toEqual([]);
  });

  it("keeps a batch open while a row in it is unreported", async () => {
    await enrol("a", "b");
    const rows = await claim(at(3));
    await complete(rows.slice(0, 1), at(3));
    const again = await claim(at(3, 300));
    expect(again.map((row) => row.schedule_id)).toEqual(rows.slice(1).map((row) => row.schedule_id));
    expect(await complete(again, at(3, 301))).toEqual({ sent: 1, failed: 0, suppressed: 0, scheduled: 1 });
    expect(await claim(at(4))).toEqual([]);
  });

  it("refuses a batch it does not know", async () => {
    const unknown = { p_batch_id: "00000000-0000-4000-8000-000000000000", p_outcomes: "[]", p_now: at(3) };
    await expect(db.call("complete_sequence_batch", unknown)).rejects.toMatchObject({ code: "22023" });
  });
});
