import { afterEach, describe, expect, it } from "vitest";
import { startImages } from "../../local/vendors/images.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createClock } from "./resend-setup.ts";

const KEY = "service-key-of-the-test";
const AT = "2026-03-02T09:00:00.000Z";
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

async function start() {
  const publishedUrl = "https://images.example.com";
  const standIn = await startImages({ serviceKey: KEY, publishedUrl, now: createClock().now });
  running.push(standIn);
  return {
    transform: async (kind: string, body: object, key = KEY) => {
      const answer = await fetch(`${standIn.url}/transform/image/${kind}`, {
        method: "POST",
        body: JSON.stringify({ userId: "system", saveToStorage: true, ...body }),
        headers: { authorization: `Bearer ${key}` },
      });
      return { status: answer.status, body: (await answer.json()) as { success: boolean; publicUrl: string } };
    },
    images: async () => ((await (await fetch(`${standIn.url}/_state`)).json()) as { images: object[] }).images,
  };
}

const base64Of = (bytes: number) => Buffer.alloc(bytes).toString("base64");

describe("the image service", () => {
  it("makes a card from its params", async () => {
    const { transform, images } = await start();
    const params = { title: "Helper", category: "agents", slug: "helper", tags: ["a"], rating: null };
    const { status, body } = await transform("card", { contentId: "c-1", params });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      publicUrl: expect.stringMatching(/^https:\/\/images\.example\.com\/storage\/content-cards\/system\/\w+\.png$/),
    });
    expect(await images()).toMatchObject([{ kind: "card", at: AT, subject: "c-1", params, inputBytes: 0 }]);
  });

  it.each([
    ["thumbnail", { contentId: "c-1" }, "c-1"],
    ["logo", { companyId: "co-1" }, "co-1"],
  ])("makes a %s from an image of at most 5 MB", async (kind, owner, subject) => {
    const { transform, images } = await start();
    expect((await transform(kind, { ...owner, imageData: base64Of(5_242_880) })).body.success).toBe(true);
    const tooLarge = await transform(kind, { ...owner, imageData: base64Of(5_242_881) });
    expect(tooLarge).toEqual({ status: 400, body: { success: false, error: "Image too large. Maximum 5MB allowed." } });
    expect(await images()).toMatchObject([{ kind, subject, inputBytes: 5_242_880 }]);
  });

  it.each([
    ["card", {}],
    ["card", { params: { title: " " } }],
    ["card", { params: { title: "t" }, saveToStorage: false }],
    ["thumbnail", { contentId: "c-1" }],
    ["thumbnail", { contentId: "c-1", imageData: "not base64!" }],
    ["logo", { imageData: base64Of(3) }],
  ])("refuses a %s that lacks something: %j", async (kind, body) => {
    const { transform, images } = await start();
    expect(await transform(kind, body)).toMatchObject({ status: 400, body: { success: false } });
    expect(await images()).toEqual([]);
  });

  it("needs the service key", async () => {
    const { transform } = await start();
    expect((await transform("card", { params: { title: "t" } }, "another")).status).toBe(401);
  });
});
