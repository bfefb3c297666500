import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { breakFunction } from "./broken-function.ts";
import { send } from "./http.ts";
import { type FlowStation, type OutboxMail, START_TIMEOUT_MS, startFlowStation } from "./station.ts";
import { run, startRun, untilRunEnded } from "./workflow-runs.ts";

const dayMs = 86_400_000;

// Whole runs of workflows, on a machine that does other things too.
vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

type SequenceMail = OutboxMail & { at: string };

const stepOf = ({ tags }: OutboxMail) => Number(tags.find(({ name }) => name === "step")?.value);
const sequenceMails = async (): Promise<SequenceMail[]> =>
  ((await station.outbox()) as SequenceMail[]).filter(({ tags }) =>
    tags.some(({ value }) => value === "onboarding_sequence"),
  );
/** The steps that each of these people got, in the order in which they came. */
const stepsOf = async (emails: string[]): Promise<number[][]> => {
  const mails = await sequenceMails();
  return emails.map((email) => mails.filter(({ to }) => to.includes(email)).map(stepOf));
};
const now = async () => Date.parse((await station.report()).now);
const beats = async () =>
  (await send(`${station.vendors.heartbeat}/_state`)).json<{ beats: { id: string; failed: boolean }[] }>().beats;

/** People who signed up `days` ago, straight into the database. */
async function enrol(prefix: string, amount: number, days: number): Promise<string[]> {
  const emails = Array.from({ length: amount }, (_, index) => `${prefix}${index}@example.com`);
  const signedUp = new Date((await now()) - days * dayMs).toISOString();
  await station.sql("select subscribe_newsletter(p_email => email, p_now => $2) from unnest($1::text[]) email", [
    emails,
    signedUp,
  ]);
  return emails;
}
const runAt = async (afterMs = 0) =>
  run(station, "sequence", { scheduled_time: new Date((await now()) + afterMs).toISOString() });

test("four mails follow a sign-up, on its days 2, 5, 9 and 14, each once", async () => {
  const people = ["ada@example.com", "bea@example.com"];
  for (const email of people) await station.subscribe(email);
  await station.quiet();
  const signedUpMs = await now();
  const fired = await station.advance(15 * dayMs);
  expect(fired.filter((line) => line.includes("onboarding-sequence"))).toHaveLength(60);

  expect(await stepsOf(people)).toEqual([
    [2, 3, 4, 5],
    [2, 3, 4, 5],
  ]);
  const dueDays = new Map([2, 5, 9, 14].map((days, index) => [index + 2, days]));
  for (const mail of await sequenceMails()) {
    const days = (Date.parse(mail.at) - signedUpMs) / dayMs;
    const due = dueDays.get(stepOf(mail)) ?? 0;
    // The schedule comes by every six hours; a minute is for the time between the sign-up and this test's look.
    expect(days).toBeGreaterThan(due - 1 / 1440);
    expect(days).toBeLessThan(due + 0.25 + 1 / 1440);
    const [welcome] = await station.outbox(mail.to[0]);
    expect(mail.headers["List-Unsubscribe"]).toBe(welcome?.headers["List-Unsubscribe"]);
    expect(mail.html).toContain(mail.to[0]);
  }
  expect(await station.sql("select status, current_step from email_sequences")).toEqual([
    { status: "completed", current_step: 5 },
    { status: "completed", current_step: 5 },
  ]);
  expect((await beats()).filter(({ failed }) => failed)).toEqual([]);
});

test("two runs at the same time share the work: every mail is sent once", async () => {
  const people = await enrol("twin", 230, 3);
  const runs = await Promise.all([runAt(), runAt()]);
  expect(runs.map(({ end }) => end)).toEqual(["Sequence Done", "Sequence Done"]);
  const returned = runs.map(({ output }) => (output.round as { totals: { returned: number } }).totals.returned);
  expect(returned.reduce((sum, one) => sum + one, 0)).toBe(people.length);
  expect(await stepsOf(people)).toEqual(people.map(() => [2]));
});

test("whoever has left or is blocked gets nothing more, and is counted", async () => {
  const [left = "", blocked = "", stays = ""] = await enrol("mixed", 3, 3);
  await station.sql("select unsubscribe_newsletter(id, 'page', $2) from newsletter_subscriptions where email = $1", [
    left,
    new Date(await now()).toISOString(),
  ]);
  await station.sql("insert into email_blocklist (email, reason) values ($1, 'spam_complaint')", [blocked]);
  const ended = await runAt();
  expect(ended.output).toMatchObject({
    suppression: { suppressed: 1 },
    round: { totals: { returned: 1, sent: 1, failed: 0, parked: 0 } },
  });
  expect(await stepsOf([left, blocked, stays])).toEqual([[], [], [2]]);
  expect(
    await station.sql(
      "select email, outcome from email_sequence_schedule where email like 'mixed%' and processed order by 1",
    ),
  ).toEqual([
    { email: left, outcome: "cancelled" },
    { email: blocked, outcome: "suppressed" },
    { email: stays, outcome: "sent" },
  ]);
});

describe("A run that dies after sending and before it could write that down", () => {
  test("fails by name, and the run after its lease writes it down without sending again", async () => {
    const people = await enrol("crash", 3, 3);
    const mend = await breakFunction(station, "complete_sequence_batch");
    const failed = await runAt();
    await mend();
    expect(failed).toMatchObject({ status: "FAILED", error: "SequenceFailed" });
    expect((await beats()).at(-1)).toMatchObject({ failed: true });
    expect(await stepsOf(people)).toEqual(people.map(() => [2]));

    expect((await runAt(60_000)).output.round).toMatchObject({ totals: { returned: 0 } });
    // A lease runs by the clock, not by the time that a run is due.
    expect((await runAt(60 * 60_000)).output.round).toMatchObject({ totals: { returned: 0 } });
    await station.sql("update email_sequence_batches set lease_expires_at = lease_expires_at - interval '20 minutes'");
    const lastSeq = (await station.calls()).at(-1)?.seq ?? 0;
    expect((await runAt()).output.round).toMatchObject({ totals: { returned: 3, sent: 3 } });
    expect((await station.calls("resend", lastSeq)).filter(({ path }) => path.startsWith("/emails"))).toEqual([]);
    expect(await stepsOf(people)).toEqual(people.map(() => [2]));
    expect(
      await station.sql(
        "select distinct outcome, step from email_sequence_schedule where email like 'crash%' and processed",
      ),
    ).toEqual([{ outcome: "sent", step: 2 }]);
    expect((await beats()).at(-1)).toMatchObject({ failed: false });
  });
});

describe("A quota that is gone until midnight", () => {
  const hourMs = 3_600_000;
  afterEach(() => station.faults({}));

  /** Moves time to the next moment at which clocks in UTC show this hour. */
  async function advanceToHour(hour: number): Promise<void> {
    const at = await now();
    await station.advance((((hour * hourMs - at) % dayMs) + dayMs) % dayMs);
  }
  /** Lets Resend take so many mails more until midnight; whoever else is due gets theirs first. */
  async function leaveQuotaOf(mails: number): Promise<void> {
    await runAt();
    const today = new Date(await now()).toISOString().slice(0, 10);
    const used = ((await station.outbox()) as SequenceMail[]).filter(({ at }) => at.startsWith(today)).length;
    await station.faults({ limit: 100, dailyQuota: used + mails });
  }
  const shortRuns = async () => (await station.report()).troubles["signal.sequence-short"] ?? 0;

  test("costs an evening's run nothing but time, and no other run takes its mails meanwhile", async () => {
    await advanceToHour(20);
    await leaveQuotaOf(100);
    const people = await enrol("evening", 150, 3);
    const short = await shortRuns();
    const name = await startRun(station, "sequence", { scheduled_time: new Date(await now()).toISOString() });
    while (!("waiting workflows" in (await station.report()).pending)) await sleep(50);
    expect((await stepsOf(people)).filter((steps) => steps.length > 0)).toHaveLength(100);
    expect((await runAt(hourMs)).output.round).toMatchObject({ totals: { returned: 0 } });

    await station.faults({ limit: 100 });
    await station.advance(4 * hourMs + 15 * 60_000);
    const ended = await untilRunEnded(station, "sequence", name);
    expect(ended).toMatchObject({ end: "Sequence Done", output: { round: { totals: { returned: 150, sent: 150 } } } });
    expect(await stepsOf(people)).toEqual(people.map(() => [2]));
    expect(await shortRuns()).toBe(short);
  });

  test("is too far off for a morning's run: it says so and leaves the mails to a later one", async () => {
    await advanceToHour(9);
    await leaveQuotaOf(100);
    const people = await enrol("morning", 150, 3);
    const short = await shortRuns();
    const ended = await runAt();
    expect(ended).toMatchObject({ end: "Sequence Done", output: { round: { worked: false, totals: { sent: 100 } } } });
    expect(await shortRuns()).toBe(short + 1);

    await station.faults({ limit: 100 });
    await station.advance(14 * hourMs);
    expect((await stepsOf(people)).filter((steps) => steps.length > 0)).toHaveLength(100);
    await station.advance(2 * hourMs);
    expect(await stepsOf(people)).toEqual(people.map(() => [2]));
    expect((await beats()).at(-1)).toMatchObject({ failed: false });
  });
});
