import { afterEach, describe, expect, it } from "vitest";
import { type SiteOptions, startSite } from "../../local/vendors/site.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createClock } from "./resend-setup.ts";

const SECRET = "site-secret-of-the-test";
const AT = "2026-03-02T09:00:00.000Z";
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

async function start(secretIn: SiteOptions["secretIn"] = "header") {
  const siteUrl = "https://directory.example.com";
  const { now } = createClock();
  const standIn = await startSite({ secret: SECRET, secretIn, siteUrl, now });
  running.push(standIn);
  return {
    url: standIn.url,
    revalidate: async (body: unknown, headers: Record<string, string> = {}) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const answer = await fetch(`${standIn.url}/api/revalidate`, { method: "POST", body: text, headers });
      return { status: answer.status, body: await answer.json() };
    },
    state: async () => (await fetch(`${standIn.url}/_state`)).json(),
  };
}

const withSecret = { "x-revalidate-secret": SECRET };

describe("the revalidate endpoint", () => {
  it.each([
    [{ category: "agents" }, { paths: ["/", "/agents"] }],
    [{ category: "agents", slug: "helper" }, { paths: ["/", "/agents", "/agents/helper"] }],
    [{ tags: ["content", "homepage"] }, { tags: ["content", "homepage"] }],
    [
      { category: "mcp", slug: "a", tags: ["content"] },
      { paths: ["/", "/mcp", "/mcp/a"], tags: ["content"] },
    ],
  ])("makes paths and tags stale: %j", async (body, stale) => {
    const { revalidate, state } = await start();
    expect(await revalidate(body, withSecret)).toEqual({
      status: 200,
      body: { revalidated: true, ...stale, timestamp: AT },
    });
    expect(await state()).toEqual({ revalidations: [{ at: AT, paths: [], tags: [], ...stale }] });
  });

  it.each([
    ["{", 400, "Invalid request body"],
    [{ category: 7 }, 400, "Invalid request body"],
    [{ tags: "content" }, 400, "Invalid request body"],
    [{}, 400, "Either category or tags must be given"],
    [{ slug: "helper" }, 400, "Either category or tags must be given"],
  ])("refuses what it does not understand and keeps nothing: %j", async (body, status, error) => {
    const { revalidate, state } = await start();
    expect(await revalidate(body, withSecret)).toMatchObject({ status, body: { error } });
    expect(await state()).toEqual({ revalidations: [] });
  });

  it("wants the secret where it was told to look, and nowhere else", async () => {
    const unauthorized = { status: 401, body: { error: "Unauthorized" } };
    const tags = ["content"];
    const byHeader = await start("header");
    expect(await byHeader.revalidate({ tags })).toEqual(unauthorized);
    expect(await byHeader.revalidate({ tags, secret: SECRET })).toEqual(unauthorized);
    expect(await byHeader.revalidate({ tags }, { "x-revalidate-secret": "another" })).toEqual(unauthorized);
    const byBody = await start("body");
    expect(await byBody.revalidate({ tags }, withSecret)).toEqual(unauthorized);
    expect(await byBody.revalidate({ tags, secret: "another" })).toEqual(unauthorized);
    expect(await byBody.revalidate({ tags, secret: SECRET })).toMatchObject({ status: 200 });
    const calls = await Promise.all([byHeader, byBody].map(async ({ url }) => (await fetch(`${url}/_calls`)).text()));
    expect(calls.join()).not.toContain(SECRET);
  });

  it("takes POST only", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/api/revalidate`)).status).toBe(405);
  });
});
