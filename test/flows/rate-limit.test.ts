import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { buckets } from "../../registry/routes.ts";
import { freshAddress, type Request } from "./http.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

// Many functions may have to start at once, on a machine that does much else.
vi.setConfig({ testTimeout: 60_000 });

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

// Every test begins with a new window, so that none of them can straddle two.
beforeEach(async () => {
  const nowMs = Date.parse((await station.report()).now);
  await station.advance(60_000 - (nowMs % 60_000) + 50);
});

const limit = buckets.email;

/** How many of `amount` subscriptions at once were let in. Their addresses are no addresses: nothing is queued. */
async function letIn(amount: number, request: (index: number) => Request): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: amount }, (_, index) =>
      station.call("/email/subscribe", { method: "POST", body: { email: "none" }, ...request(index) }),
    ),
  );
  expect(new Set(answers.map(({ status }) => status)).difference(new Set([400, 429]))).toEqual(new Set());
  return answers.filter(({ status }) => status === 400).length;
}

describe("A client in one minute", () => {
  test("gets exactly as many requests through as the bucket holds, all at once", async () => {
    const from = freshAddress();
    expect(await letIn(limit + 5, () => ({ from }))).toBe(limit);
    expect(await letIn(5, () => ({ from }))).toBe(0);
  });

  test("is told what the limit is, what is left of it and when to come back", async () => {
    const from = freshAddress();
    const first = await station.call("/email/subscribe", { body: {}, from });
    expect(first.headers["ratelimit-limit"]).toBe(String(limit));
    expect(first.headers["ratelimit-remaining"]).toBe(String(limit - 1));
    await letIn(limit - 1, () => ({ from }));

    const refused = await station.call("/email/subscribe", { body: { email: "late@example.com" }, from });
    expect(refused.status).toBe(429);
    expect(refused.headers["content-type"]).toBe("application/problem+json");
    expect(refused.json()).toMatchObject({ type: "urn:flux-station:problem:too-many-requests" });
    expect(refused.headers["ratelimit-remaining"]).toBe("0");
    const waitSeconds = Number(refused.headers["retry-after"]);
    expect(waitSeconds).toBeGreaterThan(0);
    expect(waitSeconds).toBeLessThanOrEqual(60);
    expect(refused.headers["ratelimit-reset"]).toBe(String(waitSeconds));

    await station.advance(waitSeconds * 1000);
    expect((await station.call("/email/subscribe", { body: { email: "late@example.com" }, from })).status).toBe(202);
    await station.quiet();
    expect(await station.outbox("late@example.com")).toHaveLength(1);
  });

  test("takes nothing from other clients or from its own other buckets", async () => {
    const from = freshAddress();
    await letIn(limit + 1, () => ({ from }));
    expect((await station.call("/email/count", { from })).status).toBe(200);
    expect((await station.call("/email/count", { from })).headers["ratelimit-remaining"]).toBe(
      String(buckets.public - 2),
    );
    expect(await letIn(limit, () => ({ from: freshAddress() }))).toBe(limit);
  });

  test("shares a bucket among the routes that count in it, whichever function serves them", async () => {
    const from = freshAddress();
    await letIn(limit, () => ({ from }));
    const digest = await station.callInternal("/email/digest", { from });
    expect(digest.status).toBe(429);
  });
});

describe("Who the client is", () => {
  test("cannot be chosen with X-Forwarded-For or the like", async () => {
    const from = freshAddress();
    const passed = await letIn(limit + 10, (index) => ({
      from,
      headers: {
        "x-forwarded-for": `203.0.113.${index}`,
        "x-real-ip": `203.0.113.${index}`,
        forwarded: `for=203.0.113.${index}`,
      },
    }));
    expect(passed).toBe(limit);
  });

  test("is named by X-End-Client only together with the internal secret", async () => {
    const from = freshAddress();
    const secret = { "x-internal-secret": station.credentials.internalSecret };
    const named = (index: number) => ({ "x-end-client": `203.0.113.${index}` });
    expect(await letIn(limit + 10, (index) => ({ from, headers: named(index) }))).toBe(limit);
    expect(await letIn(limit + 10, (index) => ({ from, headers: { ...secret, ...named(index) } }))).toBe(limit + 10);
    const oneVisitor = { ...secret, "x-end-client": "203.0.113.200" };
    expect(await letIn(limit + 10, () => ({ from: freshAddress(), headers: oneVisitor }))).toBe(limit);
  });

  test("must be an address when a trusted server names it", async () => {
    const answer = await station.callInternal("/pulse", { headers: { "x-end-client": "not an address" } });
    expect(answer.status).toBe(400);
  });

  test("is a whole network with IPv6, where anyone has addresses without number", async () => {
    const headers = (index: number) => ({
      "x-internal-secret": station.credentials.internalSecret,
      "x-end-client": `2001:db8:1:2::${index.toString(16)}`,
    });
    const from = freshAddress();
    expect(await letIn(limit + 5, (index) => ({ from, headers: headers(index) }))).toBe(limit);
  });
});
