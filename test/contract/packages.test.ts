import { afterEach, describe, expect, it } from "vitest";
import { startPackages } from "../../local/vendors/packages.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createClock } from "./resend-setup.ts";

const KEY = "service-key-of-the-test";
const AT = "2026-03-02T09:00:00.000Z";
const MESSAGE = { content_id: "c-1", category: "skills", slug: "sorting", created_at: AT };
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

async function start() {
  const publishedUrl = "https://packages.example.com";
  const standIn = await startPackages({ serviceKey: KEY, publishedUrl, now: createClock().now });
  running.push(standIn);
  return {
    generate: async (body: object, key = KEY) => {
      const answer = await fetch(`${standIn.url}/content/generate-package/process`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${key}` },
      });
      return { status: answer.status, body: await answer.json() };
    },
    state: async () => (await fetch(`${standIn.url}/_state`)).json(),
  };
}

describe("the package service", () => {
  it.each([
    ["skills", "skills/sorting.zip"],
    ["mcp", "mcp/sorting.mcpb"],
  ])("makes a download of an entry in %s", async (category, path) => {
    const { generate, state } = await start();
    expect(await generate({ ...MESSAGE, category })).toEqual({
      status: 200,
      body: { success: true, content_id: "c-1", path },
    });
    expect(await state()).toEqual({ packages: [{ at: AT, content_id: "c-1", category, slug: "sorting", path }] });
  });

  it.each([
    [{ category: "guides" }, "Generator not found for category 'guides'"],
    [{ category: "toString" }, "Generator not found"],
    [{ content_id: undefined }, "content_id"],
    [{ created_at: undefined }, "created_at"],
    [{ slug: "" }, "slug"],
  ])("refuses what it cannot make: %j", async (change, error) => {
    const { generate, state } = await start();
    expect(await generate({ ...MESSAGE, ...change })).toEqual({
      status: 400,
      body: { success: false, error: expect.stringContaining(error) },
    });
    expect(await state()).toEqual({ packages: [] });
  });

  it("needs the service key", async () => {
    const { generate } = await start();
    expect((await generate(MESSAGE, "another")).status).toBe(401);
  });
});
