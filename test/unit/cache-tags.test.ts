import { expect, test } from "vitest";
import { revalidationsOf } from "../../lambdas/core/cache-tags.ts";

const page = (slug: string, category = "agents") => ({ category, slug, tags: ["python", "homepage-hero"] });

test("new content makes its page and the lists stale, and none of its own tags", () => {
  expect(revalidationsOf({ table: "content", change: "INSERT", current: page("a"), former: null })).toEqual([
    { category: "agents", slug: "a", tags: ["content", "homepage", "trending"] },
  ]);
});

test("after a rename both the new page and the old one are stale, and the tags once", () => {
  expect(revalidationsOf({ table: "content", change: "UPDATE", current: page("new"), former: page("old") })).toEqual([
    { category: "agents", slug: "new", tags: ["content", "homepage", "trending"] },
    { category: "agents", slug: "old", tags: [] },
  ]);
  const moved = revalidationsOf({
    table: "content",
    change: "UPDATE",
    current: page("same", "mcp"),
    former: page("same", "agents"),
  });
  expect(moved.map(({ category }) => category)).toEqual(["mcp", "agents"]);
});

test("a change that keeps the page, and a deletion, are one call each", () => {
  expect(revalidationsOf({ table: "content", change: "UPDATE", current: page("a"), former: page("a") })).toHaveLength(
    1,
  );
  expect(revalidationsOf({ table: "content", change: "DELETE", current: null, former: page("gone") })).toEqual([
    { category: "agents", slug: "gone", tags: ["content", "homepage", "trending"] },
  ]);
});

test.each([
  ["reviews", "INSERT", ["content", "homepage", "trending"]],
  ["reviews", "DELETE", ["content"]],
  ["jobs", "UPDATE", ["jobs", "companies"]],
  ["notifications", "INSERT", ["notifications"]],
  ["changelog", "INSERT", ["changelog"]],
] as const)("a row of %s on %s makes %j stale without a page of its own", (table, change, tags) => {
  expect(revalidationsOf({ table, change })).toEqual([{ tags }]);
});

test("a table that the site shows nothing of asks for nothing, whatever it is called", () => {
  expect(revalidationsOf({ table: "constructor", change: "INSERT" })).toEqual([]);
});
