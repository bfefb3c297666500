import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";

const T0 = "2026-11-02T10:00:00.000Z";
const T1 = "2026-11-03T10:00:00.000Z";

type Inserted = { notification: Record<string, unknown>; created: boolean };

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());
beforeEach(() => db.query("delete from public.notifications"));

const insert = (fields: Record<string, unknown>, p_now = T0) =>
  db.call<Inserted>("insert_notification", { p: { title: "A title", message: "A message", ...fields }, p_now });
const active = async (p_user_id: string | null, p_dismissed_ids: string[] | null = null, p_now = T0) =>
  (await db.call<{ id: string }[]>("get_active_notifications", { p_user_id, p_dismissed_ids, p_now })).map(
    (row) => row.id,
  );
const dismiss = (p_user_id: string, p_ids: string[]) =>
  db.call("dismiss_notifications", { p_user_id, p_ids, p_now: T0 });

describe("a notification", () => {
  it("is created by one of many callers, who alone may announce it (D-36)", async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => insert({ id: "n", title: `T${index}` })),
    );
    const created = answers.filter((answer) => answer.created);
    expect(created).toHaveLength(1);
    for (const answer of answers) expect(answer.notification).toEqual(created[0]?.notification);
  });

  it("leads to a path or an https address, and nowhere else (D-58)", async () => {
    for (const action_href of ["/", "/changelog/x?y=1#z", "https://directory.example.com/jobs"]) {
      expect((await insert({ action_href })).notification).toMatchObject({ action_href });
    }
    for (const action_href of [
      "//evil.example.com",
      "/\\evil.example.com",
      "http://x.com",
      "javascript:alert(1)",
      "",
    ]) {
      await expect(insert({ action_href }), action_href).rejects.toMatchObject({ code: "23514" });
    }
  });

  it("that is too long is refused, or made to fit when the system writes it", async () => {
    const long = { title: "t".repeat(300), message: "m".repeat(900), action_label: "l".repeat(80) };
    await expect(insert(long)).rejects.toMatchObject({ code: "23514" });
    const { notification } = await insert({ ...long, fit: true });
    expect(notification).toMatchObject({
      title: `${"t".repeat(99)}…`,
      message: `${"m".repeat(499)}…`,
      action_label: `${"l".repeat(49)}…`,
    });
  });

  it("has the defaults of old, and refuses a priority that does not exist", async () => {
    expect((await insert({ id: "plain" })).notification).toMatchObject({
      id: "plain",
      type: "announcement",
      priority: "medium",
      active: true,
      expires_at: null,
    });
    await expect(insert({ priority: "urgent" })).rejects.toMatchObject({ code: "22P02" });
  });
});

describe("active notifications", () => {
  it("come most urgent first, then oldest first, without the expired and the inactive", async () => {
    await insert({ id: "low", priority: "low" });
    await insert({ id: "high-late", priority: "high" }, T1);
    await insert({ id: "high-early", priority: "high" });
    await insert({ id: "medium" });
    await insert({ id: "expired", expires_at: T0 });
    await insert({ id: "off" });
    await db.query("update public.notifications set active = false where id = 'off'");
    expect(await active(null)).toEqual(["high-early", "high-late", "medium", "low"]);
  });

  it("leave out what the user dismissed, on this device or another (D-57)", async () => {
    const [ada, bob] = [randomUUID(), randomUUID()];
    for (const id of ["a", "b", "c"]) await insert({ id });
    await dismiss(ada, ["a"]);
    expect(await active(ada)).toEqual(["b", "c"]);
    expect(await active(ada, ["b"])).toEqual(["c"]);
    expect(await active(bob)).toEqual(["a", "b", "c"]);
  });
});

describe("dismissing", () => {
  it("counts unknown ids instead of failing, and may be repeated", async () => {
    const user = randomUUID();
    await insert({ id: "known" });
    const ids = ["known", "known", "unknown", "gone"];
    expect(await dismiss(user, ids)).toEqual({ dismissed: 1, unknown: 2 });
    expect(await dismiss(user, ids)).toEqual({ dismissed: 1, unknown: 2 });
    expect(
      await db.query("select user_id from public.notification_dismissals where user_id = $1", [user]),
    ).toHaveLength(1);
  });

  it("of the same ids in any order by many calls at once stores each once", async () => {
    const user = randomUUID();
    const ids = Array.from({ length: 20 }, (_, index) => `n-${index}`);
    for (const id of ids) await insert({ id });
    await Promise.all(Array.from({ length: 10 }, (_, index) => dismiss(user, index % 2 ? ids : ids.toReversed())));
    expect(await active(user)).toEqual([]);
  });
});

describe("a changelog entry", () => {
  type Recorded = { entry_id: string; slug: string; created: boolean };
  const record = (deployment_id: string, fields: Record<string, unknown> = {}, p_now = T0) =>
    db.call<Recorded>("record_changelog_entry", {
      p: {
        deployment_id,
        deployed_at: "2026-11-01T23:59:50Z",
        site_url: "https://directory.example.com/",
        title: "A release",
        tldr: "What is new",
        content: "## Added",
        sections: [{ title: "Added", items: ["One", "Two"] }],
        commits: [{ sha: "abcdef0", message: "feat: one", url: "https://example.com/c", author: "Ada" }],
        contributors: ["Ada"],
        ...fields,
      },
      p_now,
    });

  it("is one per deployment, named by the deployment's day, also after midnight (D-41)", async () => {
    const first = await record("dpl_AbCd123456");
    expect(first).toMatchObject({ slug: "2026-11-01-123456", created: true });
    const again = await record("dpl_AbCd123456", { title: "Another title" }, T1);
    expect(again).toEqual({ ...first, created: false });
    expect(await db.call("get_changelog_entry", { p_entry_id: first.entry_id })).toEqual({
      entry_id: first.entry_id,
      slug: "2026-11-01-123456",
      title: "A release",
      tldr: "What is new",
      description: "",
      sections: [{ title: "Added", items: ["One", "Two"] }],
      commits: [{ sha: "abcdef0", message: "feat: one", url: "https://example.com/c", author: "Ada" }],
      contributors: ["Ada"],
      commit_count: 1,
      git_commit_sha: null,
      release_date: "2026-11-01",
      canonical_url: "https://directory.example.com/changelog/2026-11-01-123456",
      published: true,
      metadata: {},
    });
  });

  it("is one also when many workers record it at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => record("dpl_race", {}, `2026-11-02T10:00:00.${index}00Z`)),
    );
    expect(new Set(answers.map((answer) => answer.entry_id)).size).toBe(1);
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
  });

  it("is told from another deployment of that day whose id ends alike, and takes epoch milliseconds", async () => {
    const deployed_at = Date.parse("2026-11-05T12:00:00Z");
    expect(await record("dpl_one-zzzzzz", { deployed_at })).toMatchObject({ slug: "2026-11-05-zzzzzz" });
    expect(await record("dpl_two-zzzzzz", { deployed_at })).toMatchObject({
      slug: "2026-11-05-dpl-two-zzzzzz",
      created: true,
    });
    expect(await record("dpl_two-zzzzzz", { deployed_at }, T1)).toMatchObject({
      slug: "2026-11-05-dpl-two-zzzzzz",
      created: false,
    });
  });

  it("needs its deployment and a list of sections", async () => {
    await expect(record("")).rejects.toMatchObject({ code: "22023" });
    await expect(record("dpl_x", { deployed_at: null })).rejects.toMatchObject({ code: "22023" });
    await expect(record("dpl_x", { sections: { Added: [] } })).rejects.toMatchObject({ code: "23514" });
  });
});
