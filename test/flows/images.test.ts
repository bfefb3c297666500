import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { makeEnvelope, type Payload } from "../../lambdas/core/messages.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

vi.setConfig({ testTimeout: 120_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const about = { businessKey: "c1", correlationId: "test", nowMs: Date.parse("2026-11-24T10:00:00Z") };
const wish = (payload: Payload<"image-generation">) =>
  station.enqueue("image-generation", makeEnvelope("image-generation", payload, about));
const images = () => station.vendorState<{ kind: string; subject: string; params: unknown }>("images", "images");

test("cards, thumbnails and logos are made of what the message says", async () => {
  await wish({ type: "card", content_id: "c1", params: { title: "A card", category: "mcp", slug: "a-card" } });
  await wish({ type: "thumbnail", content_id: "c2", image_data: "aGVsbG8=" });
  await wish({ type: "logo", company_id: "o1", image_data: "aGVsbG8=" });
  await station.quiet();
  const made = await images();
  expect(made.map(({ kind, subject }) => `${kind} ${subject}`).sort()).toEqual(["card c1", "logo o1", "thumbnail c2"]);
  expect(made.find(({ kind }) => kind === "card")?.params).toMatchObject({ category: "mcp", slug: "a-card" });
});

test("a wish without a title, a subject or a known type is dead-lettered with its reason", async () => {
  const before = (await images()).length;
  for (const payload of [
    { type: "card", params: { title: " " } },
    { type: "logo", image_data: "aGVsbG8=" },
    { type: "poster", content_id: "c1" },
  ])
    await station.enqueue("image-generation", {
      ...makeEnvelope("image-generation", { type: "card", params: { title: "x" } }, about),
      payload,
    });
  await station.quiet();
  const letters = await station.deadLetters("image-generation");
  expect(letters.map(({ attributes }) => attributes.errorName)).toEqual(Array(3).fill("InvalidInput"));
  expect(await images()).toHaveLength(before);
});

test("a new skill gets its download, and a new rule none", async () => {
  for (const category of ["skills", "rules"])
    await station.sql(
      `insert into content (category, slug, title, description, author, tags, date_added)
       values ($1::content_category, 'a-download', 'Title', 'Description', 'Ada Example', '{}', '2026-11-24')`,
      [category],
    );
  await station.fire("outbox-sweep");
  await station.quiet();
  expect(await station.vendorState("packages", "packages")).toMatchObject([
    { category: "skills", slug: "a-download", path: "skills/a-download.zip" },
  ]);
});
