import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";
import { overlap } from "./overlap.ts";

const T0 = "2026-11-02T10:00:00.000Z";
const T0_PLUS_61S = "2026-11-02T10:01:01.000Z";

type Claimed = { id: number; queue: string; payload: Record<string, unknown>; group_key: string | null };

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());
beforeEach(() => db.query("delete from public.outbox"));

const claim = (p_owner = "sweep", p_limit = 100, p_now = T0) =>
  db.call<Claimed[]>("claim_outbox", { p_limit, p_lease_seconds: 60, p_owner, p_now });
const waiting = () =>
  db.query<{ queue: string; payload: Record<string, unknown> }>(
    "select queue, payload from public.outbox where done_at is null order by id",
  );
const addContent = async (category: string, slug: string, tags = "{one,two}") => {
  const [row] = await db.query<{ id: string }>(
    `insert into public.content (category, slug, title, description, author, tags, date_added)
     values ($1, $2, 'Title', 'About it', 'Ada Example', $3, '2026-11-01') returning id`,
    [category, slug, tags],
  );
  if (!row) throw new Error("nothing inserted");
  return row.id;
};
const fill = (count: number) =>
  db.query("insert into public.outbox (queue, payload) select 'some-queue', '{}' from generate_series(1, $1)", [count]);

it("a new database waits for nothing: the seeded directory is no news", async () => {
  const fresh = await openDatabase();
  try {
    expect(await fresh.query("select * from public.outbox")).toEqual([]);
  } finally {
    await fresh.close();
  }
});

describe("content", () => {
  it("that is new asks for revalidation and an embedding, and a package where there are packages", async () => {
    const id = await addContent("skills", "outbox-skill");
    const current = { category: "skills", slug: "outbox-skill", tags: ["one", "two"] };
    expect(await waiting()).toEqual([
      { queue: "revalidation", payload: { table: "content", change: "INSERT", current, former: null } },
      { queue: "embedding-generation", payload: { content_id: id } },
      {
        queue: "package-generation",
        payload: { content_id: id, category: "skills", slug: "outbox-skill", created_at: expect.any(String) },
      },
    ]);
    await db.query("delete from public.outbox");
    await addContent("agents", "outbox-agent");
    expect((await waiting()).map((row) => row.queue)).toEqual(["revalidation", "embedding-generation"]);
  });

  it("that is renamed names both the old and the new page (D-64)", async () => {
    const id = await addContent("agents", "old-name");
    await db.query("delete from public.outbox");
    await db.query("update public.content set slug = 'new-name', category = 'rules' where id = $1", [id]);
    expect(await waiting()).toEqual([
      {
        queue: "revalidation",
        payload: {
          table: "content",
          change: "UPDATE",
          current: { category: "rules", slug: "new-name", tags: ["one", "two"] },
          former: { category: "agents", slug: "old-name", tags: ["one", "two"] },
        },
      },
    ]);
  });

  it("that is only looked at, copied or packaged causes no work of that kind again", async () => {
    const id = await addContent("mcp", "counted");
    await db.query("delete from public.outbox");
    await db.query("update public.content set view_count = 9, copy_count = 9, popularity_score = 1 where id = $1", [
      id,
    ]);
    expect(await waiting()).toEqual([]);
    await db.query("update public.content set storage_url = 'https://example.com/p.zip' where id = $1", [id]);
    expect((await waiting()).map((row) => row.queue)).toEqual(["revalidation"]);
  });

  it("that is deleted leaves its former page to revalidate", async () => {
    const id = await addContent("mcp", "gone");
    await db.query("delete from public.outbox");
    await db.query("delete from public.content where id = $1", [id]);
    const rows = await waiting();
    expect(rows).toHaveLength(1);
    expect(rows[0]?.payload).toMatchObject({ change: "DELETE", current: null, former: { slug: "gone" } });
  });

  it("whose transaction is rolled back leaves nothing", async () => {
    await expect(
      db.query(`do $$ begin
        insert into public.content (category, slug, description, author, date_added)
        values ('agents', 'never-was', 'x', 'y', '2026-11-01');
        raise exception 'no';
      end $$`),
    ).rejects.toThrow("no");
    expect(await waiting()).toEqual([]);
  });
});

describe("a job", () => {
  const addJob = async (slug: string, status: string, placeholder = false) => {
    const [row] = await db.query<{ id: string }>(
      `insert into public.jobs (slug, title, company, description, category, link, status, is_placeholder)
       values ($1, 'Engineer', 'Example', 'Work', 'engineering', 'https://example.com', $2, $3) returning id`,
      [slug, status, placeholder],
    );
    if (!row) throw new Error("nothing inserted");
    return row.id;
  };

  it("is announced by its id, in its own group, on insert, change and delete", async () => {
    const id = await addJob("a", "active");
    await db.query("update public.jobs set title = 'Lead Engineer' where id = $1", [id]);
    await db.query("delete from public.jobs where id = $1", [id]);
    const claimed = await claim();
    expect(claimed.map((row) => [row.queue, row.group_key, row.payload])).toEqual(
      ["INSERT", "UPDATE", "DELETE"].map((change) => ["discord-jobs", id, { job_id: id, change }]),
    );
  });

  it("is silent as a draft or placeholder, until it is published and once it is taken back", async () => {
    await addJob("p", "active", true);
    const id = await addJob("d", "draft");
    await db.query("update public.jobs set title = 'Still a draft' where id = $1", [id]);
    expect(await waiting()).toEqual([]);
    await db.query("update public.jobs set status = 'active' where id = $1", [id]);
    await db.query("update public.jobs set status = 'draft' where id = $1", [id]);
    expect(await waiting()).toHaveLength(2);
  });

  it("makes no work when only counters or the message id change", async () => {
    const id = await addJob("c", "active");
    await db.query("delete from public.outbox");
    await db.query("update public.jobs set view_count = 7, admin_notes = 'x' where id = $1", [id]);
    expect(await db.call("record_job_announcement", { p_job_id: id, p_message_id: "123", p_now: T0 })).toBe(true);
    expect(await waiting()).toEqual([]);
  });
});

it("a submission is announced when it comes in and when it is merged, not in between", async () => {
  const [row] = await db.query<{ id: string }>(
    `insert into public.content_submissions (name, description, category, submission_type, author)
     values ('New', 'About', 'agents', 'agents', 'Ada') returning id`,
  );
  await db.query("update public.content_submissions set status = 'approved', approved_slug = 'new' where id = $1", [
    row?.id,
  ]);
  await db.query("update public.content_submissions set status = 'merged' where id = $1", [row?.id]);
  await db.query("update public.content_submissions set moderator_notes = 'fine' where id = $1", [row?.id]);
  expect(await waiting()).toEqual(
    ["INSERT", "UPDATE"].map((change) => ({
      queue: "discord-submissions",
      payload: { submission_id: row?.id, change },
    })),
  );
});

describe("claiming", () => {
  it("gives each row to one of many sweeps that run at once", async () => {
    await fill(200);
    const claims = await Promise.all(Array.from({ length: 10 }, (_, index) => claim(`sweep-${index}`, 30)));
    const ids = claims.flat().map((row) => row.id);
    expect(ids).toHaveLength(200);
    expect(new Set(ids).size).toBe(200);
  });

  it("passes over rows that another sweep is claiming, without waiting for it", async () => {
    await fill(5);
    const other = { text: "select public.claim_outbox(2, 60, 'other', $1)", values: [T0] };
    expect(await overlap(db, other, () => claim("a", 2), { meets: "nothing" })).toHaveLength(2);
  });

  it("gives oldest first, as many as asked for, until none is left", async () => {
    await fill(5);
    const first = await claim("a", 3);
    const second = await claim("a", 3);
    expect([first.length, second.length]).toEqual([3, 2]);
    expect([...first, ...second].map((row) => row.id)).toEqual(
      [...first, ...second].map((row) => row.id).sort((one, other) => one - other),
    );
    expect(await claim("a", 3)).toEqual([]);
  });

  it("gives a row again when its sweep died, not before its lease ends, and never once it is done", async () => {
    await fill(2);
    const [done, died] = await claim();
    expect(await db.call("complete_outbox", { p_ids: [done?.id], p_now: T0 })).toBe(1);
    expect(await claim("other")).toEqual([]);
    const again = await claim("other", 100, T0_PLUS_61S);
    expect(again).toMatchObject([{ id: died?.id, claim_count: 2 }]);
  });

  it("is completed once, by whoever got the rows into their queues", async () => {
    await fill(3);
    const ids = (await claim()).map((row) => row.id);
    const counts = await Promise.all([1, 2, 3].map(() => db.call("complete_outbox", { p_ids: ids, p_now: T0 })));
    expect(counts.sort()).toEqual([0, 0, 3]);
  });

  it("shows what waits, and forgets what was done long ago", async () => {
    await fill(3);
    await db.query("update public.outbox set created_at = '2026-11-02T09:59:00Z'");
    const [one] = await claim("a", 1);
    expect(await db.call("get_outbox_backlog", { p_now: T0 })).toEqual({
      waiting: 2,
      leased: 1,
      oldest_age_seconds: 60,
    });
    await db.call("complete_outbox", { p_ids: [one?.id], p_now: T0 });
    expect(await db.call("purge_outbox", { p_done_before: T0, p_limit: 10 })).toBe(0);
    expect(await db.call("purge_outbox", { p_done_before: T0_PLUS_61S, p_limit: 10 })).toBe(1);
    expect(await waiting()).toHaveLength(2);
  });
});

describe("the poke", () => {
  type Poke = { url: string; body: string; headers: Record<string, string> };
  const pokes = () => db.query<Poke>("select url, body::text, headers from net.sent");

  // pg_net and vault, as far as the trigger sees of them.
  beforeAll(async () => {
    await db.query(`
      create schema vault; create schema net;
      create table vault.decrypted_secrets (name text, decrypted_secret text);
      create table net.sent (url text, body jsonb, headers jsonb);
      create function net.http_post(url text, body jsonb default '{}', params jsonb default '{}',
        headers jsonb default '{}', timeout_milliseconds integer default 5000) returns bigint
      language sql as 'insert into net.sent values (url, body, headers); select 1::bigint'`);
  });

  it("is not sent without its secrets, and the write goes through", async () => {
    await fill(1);
    expect(await pokes()).toEqual([]);
    expect(await waiting()).toHaveLength(1);
  });

  it("is signed over timestamp and body, once per transaction", async () => {
    await db.query(`insert into vault.decrypted_secrets values
      ('station_poke_url', 'https://station.example.com/embedding/webhook'), ('station_poke_secret', 'kéy')`);
    await db.query(`insert into public.content (category, slug, description, author, date_added)
      select 'agents', 'bulk-' || n, 'x', 'y', '2026-11-01' from generate_series(1, 20) n`);
    await fill(1);
    const sent = await pokes();
    expect(sent).toHaveLength(2);
    const [poke] = sent;
    const timestamp = poke?.headers["X-Webhook-Timestamp"] ?? "";
    expect(poke?.url).toBe("https://station.example.com/embedding/webhook");
    expect(Math.abs(Number(timestamp) - Date.now())).toBeLessThan(60_000);
    const expected = createHmac("sha256", "kéy").update(`${timestamp}.${poke?.body}`).digest("base64");
    expect(poke?.headers["X-Webhook-Signature"]).toBe(expected);
  });

  it("never fails the write it tells of", async () => {
    await db.query("drop table net.sent");
    await fill(1);
    expect(await waiting()).toHaveLength(1);
  });

  it("leaves no credential in any definition (D-8)", async () => {
    const [source] = await db.query<{ text: string }>(
      "select string_agg(pg_get_functiondef(oid), '') as text from pg_proc where pronamespace = 'public'::regnamespace",
    );
    expect(source?.text).not.toMatch(/https?:\/\/[a-z]|whsec_|bearer /i);
  });
});
