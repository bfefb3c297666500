import { afterEach, expect, test, vi } from "vitest";
import { segmentForScore } from "../../lambdas/core/engagement.ts";
import type { ResendProvider } from "../../lambdas/providers/resend.ts";
import { config } from "../../station.config.ts";
import { startSegmentVendor } from "./segment-vendor.ts";
import { createClock } from "./state.ts";

/**
 * What the station this one replaces did to a contact's segments, written anew from its description: list, remove what
 * is not the target, add the target. Its calls were spaced by a chain of each instance's own, which does not matter
 * here: between instances there was nothing. It is here to show what the segment workflow must not do.
 */
async function originalSync(resend: ResendProvider, contactId: string, score: number): Promise<void> {
  const target = segments[segmentForScore(score)];
  const present = (await resend.listSegments(contactId)).filter((id) => managed.includes(id));
  for (const id of present.filter((each) => each !== target)) await resend.removeFromSegment(contactId, id);
  if (!present.includes(target)) await resend.addToSegment(contactId, target);
}

const { segments } = config.resend;
const managed = [segments["high-engagement"], segments["medium-engagement"], segments["low-engagement"]];

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of cleanups.splice(0)) await close();
});

test("the original's way leaves a contact in two segments after two changes at once, and in none in between", async () => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  const vendor = await startSegmentVendor(createClock().now, 55);
  cleanups.push(vendor.close);
  const { resend, contactId } = vendor;
  // Both instances have looked before either has changed anything.
  await vendor.setFaults({ latencyMs: 50 });
  await Promise.all([originalSync(resend, contactId, 90), originalSync(resend, contactId, 10)]);
  await vendor.setFaults({});
  expect((await resend.listSegments(contactId)).sort()).toEqual(
    [segments["high-engagement"], segments["low-engagement"]].sort(),
  );
  const changes = (await vendor.calls()).filter(({ path, method }) => path.includes("/segments/") && method !== "GET");
  expect(changes[0]?.method).toBe("DELETE");
});
