import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase, START_TIMEOUT_MS } from "./database.ts";

let db: Database;
beforeAll(async () => {
  db = await openDatabase();
}, START_TIMEOUT_MS);
afterAll(() => db.close());

/** Stores a deployment of the given hour; answers its id. */
async function deploy(
  hour: number,
  meta: Record<string, string>,
  more: { type?: string; target?: string | null } = {},
) {
  const { type = "deployment.succeeded", target = "production" } = more;
  const at = `2026-11-02T${String(hour).padStart(2, "0")}:00:00.000Z`;
  const { webhook_event_id } = await db.call<{ webhook_event_id: string }>("receive_webhook_event", {
    p_source: "vercel",
    p_dedupe_key: `deployment-${hour}`,
    p_type: type,
    p_occurred_at: at,
    p_data: { type, payload: { target, deployment: { id: `dpl_${hour}`, meta } } },
    p_now: at,
  });
  return webhook_event_id;
}
const previous = (p_webhook_event_id: string) =>
  db.call<{ commit_sha: string | null } | null>("get_previous_deployed_commit", { p_webhook_event_id });

it("answers the commit of the last production deployment of the branch before this one", async () => {
  const first = await deploy(1, { branch: "main", commitId: "aaaaaaa" });
  await deploy(2, { githubCommitRef: "main", githubCommitSha: "bbbbbbb" });
  await deploy(3, { branch: "main", commitId: "ccccccc" }, { target: null });
  await deploy(4, { branch: "feature", commitId: "ddddddd" });
  await deploy(5, { branch: "main", commitId: "eeeeeee" }, { type: "deployment.error" });
  const present = await deploy(6, { githubCommitRef: "main", githubCommitSha: "fffffff" });
  await deploy(7, { branch: "main", commitId: "1111111" });
  expect(await previous(present)).toEqual({ commit_sha: "bbbbbbb" });
  expect(await previous(first)).toEqual({ commit_sha: null });
});

it("looks past a deployment of the same commit", async () => {
  await deploy(8, { branch: "main", commitId: "2222222" });
  expect(await previous(await deploy(9, { branch: "main", commitId: "2222222" }))).toEqual({ commit_sha: "1111111" });
});

it("answers nothing for what is no deployment", async () => {
  expect(await previous("00000000-0000-4000-8000-000000000000")).toBeNull();
});
