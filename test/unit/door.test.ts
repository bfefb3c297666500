import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createOnce, type Once } from "../../lambdas/routes/door/idempotency.ts";
import { Problem } from "../../lambdas/routes/door/problem.ts";
import { createRateLimit, networkOf } from "../../lambdas/routes/door/rate-limit.ts";
import { buckets } from "../../registry/routes.ts";
import { lambdaContext } from "./lambda-context.ts";
import { createClock, localAws, startState, tableName } from "./state.ts";

let state: Awaited<ReturnType<typeof startState>>;

beforeAll(async () => {
  state = await startState();
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("STATION_STAGE", "test");
  vi.stubEnv("AWS_REGION", localAws.region);
  vi.stubEnv("AWS_ACCESS_KEY_ID", localAws.credentials.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", localAws.credentials.secretAccessKey);
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", state.url);
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterAll(async () => {
  vi.restoreAllMocks();
  await state.close();
});

describe("a rate bucket", () => {
  const passedOf = async (takes: Promise<unknown>[]) =>
    (await Promise.allSettled(takes)).filter(({ status }) => status === "fulfilled").length;

  test("lets exactly as many of a thousand requests at once through as it holds, over all functions", async () => {
    const clock = createClock();
    const functions = Array.from({ length: 4 }, () =>
      createRateLimit({ table: state.open(clock.now), now: clock.now }),
    );
    const takes = Array.from({ length: 1000 }, (_, index) => functions[index % 4]?.take("email", "192.0.2.1"));
    expect(await passedOf(takes.map((take) => take ?? Promise.reject(new Error("no function"))))).toBe(buckets.email);
  });

  test("counts each client and each bucket for itself, and begins anew with the minute", async () => {
    const clock = createClock();
    const limit = createRateLimit({ table: state.open(clock.now), now: clock.now });
    const take = (bucket: keyof typeof buckets, client: string, times: number) =>
      passedOf(Array.from({ length: times }, () => limit.take(bucket, client)));
    expect(await take("email", "192.0.2.10", 30)).toBe(20);
    expect(await take("email", "192.0.2.11", 30)).toBe(20);
    expect(await take("queue-worker", "192.0.2.10", 70)).toBe(60);
    clock.advance(59_999);
    expect(await take("email", "192.0.2.10", 1)).toBe(0);
    clock.advance(1);
    expect(await take("email", "192.0.2.10", 30)).toBe(20);
  });

  test("says what is left, and when to come again", async () => {
    const clock = createClock();
    clock.advance(12_000);
    const limit = createRateLimit({ table: state.open(clock.now), now: clock.now });
    expect(await limit.take("email", "192.0.2.20")).toEqual({
      "ratelimit-limit": "20",
      "ratelimit-remaining": "19",
      "ratelimit-reset": "48",
    });
    await passedOf(Array.from({ length: 19 }, () => limit.take("email", "192.0.2.20")));
    const refused = await limit.take("email", "192.0.2.20").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({
      kind: "too-many-requests",
      headers: { "retry-after": "48", "ratelimit-remaining": "0" },
    });
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::1", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    // How a dual-stack server names IPv4 clients: each is one of its own.
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.2", "192.0.2.2"],
    ["0:0:0:0:0:ffff:192.0.2.3", "192.0.2.3"],
  ])("takes %s for a client of %s", (client, network) => {
    expect(networkOf(client)).toBe(network);
  });
});

describe("a request with an idempotency key", () => {
  const reply = (body: string) => ({ statusCode: 202, body });
  let once: Once;
  beforeAll(() => {
    once = createOnce(tableName);
  });

  test("is carried out once, and answered the same from then on", async () => {
    let runs = 0;
    const work = async () => reply(`run ${++runs}`);
    const request = { key: "route/public/1", bodyHash: "a" };
    const first = await once(request, lambdaContext(), work);
    expect(await once(request, lambdaContext(), work)).toEqual(first);
    expect(await once({ ...request, key: "route/public/2" }, lambdaContext(), work)).toEqual(reply("run 2"));
    expect(runs).toBe(2);
  });

  test("with another body is a mistake", async () => {
    await once({ key: "route/public/3", bodyHash: "a" }, lambdaContext(), async () => reply("first"));
    await expect(
      once({ key: "route/public/3", bodyHash: "b" }, lambdaContext(), async () => reply("second")),
    ).rejects.toMatchObject({ name: "Problem", kind: "idempotency-mismatch" });
  });

  test("that failed may come again", async () => {
    const request = { key: "route/public/4", bodyHash: "a" };
    const failed = once(request, lambdaContext(), async () => Promise.reject(new Problem("invalid-body", "no email")));
    await expect(failed).rejects.toBeDefined();
    expect(await once(request, lambdaContext(), async () => reply("second"))).toEqual(reply("second"));
  });

  test("answers with the route's own problem when it fails", async () => {
    const failed = once({ key: "route/public/5", bodyHash: "a" }, lambdaContext(), async () =>
      Promise.reject(new Problem("invalid-body", "no email")),
    );
    await expect(failed).rejects.toMatchObject({ name: "Problem", kind: "invalid-body" });
  });

  test("of twenty at once is carried out once; the others are told to ask again or get the answer", async () => {
    let runs = 0;
    const work = async () => reply(`run ${++runs}`);
    const request = { key: "route/public/6", bodyHash: "a" };
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => once(request, lambdaContext(), work)));
    expect(runs).toBe(1);
    for (const each of all) {
      if (each.status === "fulfilled") expect(each.value).toEqual(reply("run 1"));
      else expect(each.reason).toMatchObject({ name: "Problem", kind: "conflict" });
    }
  });
});
