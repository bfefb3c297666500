import type { RequestListener } from "node:http";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { InvalidInput, PermanentFailure } from "../../lambdas/core/outcome.ts";
import { createResend } from "../../lambdas/providers/resend.ts";
import { createSupabase } from "../../lambdas/providers/supabase.ts";
import { startHttpServer } from "./http-server.ts";
import { createOpenPacer, startResendProvider } from "./resend-provider.ts";
import { createClock } from "./state.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});
beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});

async function serve(answer: RequestListener): Promise<string> {
  const server = await startHttpServer(answer);
  cleanups.push(server.close);
  return server.url;
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("the database", () => {
  const callAt = (url: string, timeoutMs = 10_000) =>
    failureOf(createSupabase({ url, serviceRoleKey: "key", timeoutMs, now: Date.now }).call("count", {}, z.int()));
  const answering =
    (status: number, code: string): RequestListener =>
    (_request, response) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ code, message: "what happened", details: null, hint: null }));
    };

  test.each([
    [400, "22023", "InvalidInput"],
    [400, "22P05", "InvalidInput"],
    [409, "23505", "PermanentFailure"],
    [400, "P0001", "PermanentFailure"],
    // Between a deployment and its migration nothing is wrong with any message.
    [404, "PGRST202", "ProviderMisconfigured"],
    [403, "42501", "ProviderMisconfigured"],
    [404, "42883", "ProviderMisconfigured"],
    [401, "PGRST301", "ProviderMisconfigured"],
    [500, "57014", "ProviderUnavailable"],
    [500, "40P01", "ProviderUnavailable"],
    [503, "PGRST002", "ProviderUnavailable"],
    [500, "53300", "ProviderUnavailable"],
  ])("that answers %i with code %s is a matter of %s", async (status, code, name) => {
    const error = await callAt(await serve(answering(status, code)));
    expect(error).toMatchObject({ name, message: expect.stringMatching(`count failed with ${code}: what happened`) });
    const final = error instanceof InvalidInput || error instanceof PermanentFailure;
    expect(final).toBe(name === "InvalidInput" || name === "PermanentFailure");
  });

  test.each([
    ["does not answer", () => {}],
    ["stops in the middle of its answer", (_request, response) => response.writeHead(200).write('{"id":')],
    ["hangs up", (request) => request.socket.destroy()],
    ["answers with a proxy's page", (_request, response) => response.writeHead(502).end("<html>Bad gateway</html>")],
  ] satisfies [string, RequestListener][])("that %s is unavailable, and nothing worse", async (_name, answer) => {
    expect(await callAt(await serve(answer), 200)).toMatchObject({ name: "ProviderUnavailable" });
  });

  test("is sent the correlation id's work and answers in the shape that was asked for", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end('"twelve"');
    });
    expect(await callAt(url)).toBeInstanceOf(z.ZodError);
  });
});

describe("Resend", () => {
  const start = async (options: Partial<Parameters<typeof startResendProvider>[0]> = {}) => {
    const clock = createClock();
    const vendor = await startResendProvider({ now: clock.now, ...options });
    cleanups.push(vendor.close);
    return { ...vendor, clock };
  };
  const mail = (to: string) => ({
    from: "a@example.com",
    to,
    subject: "s",
    html: "h",
    text: "t",
    headers: {},
    tags: [],
  });

  test("a limit reached pauses everybody for as long as the answer says", async () => {
    const { resend, setFaults, told, clock } = await start();
    await setFaults({ rate429: 1 });
    expect(await failureOf(resend.sendMail(mail("a@example.com"), "k"))).toMatchObject({
      name: "RateLimited",
      untilMs: clock.now() + 1000,
    });
    expect(told.pausedUntil).toEqual([clock.now() + 1000]);
  });

  test("a quota used up pauses everybody until the day or the month is over", async () => {
    const daily = await start({ dailyQuota: 0 });
    expect(await failureOf(daily.resend.sendMail(mail("a@example.com"), "k"))).toMatchObject({
      name: "QuotaExceeded",
      untilMs: Date.parse("2026-03-03T00:00:00Z"),
    });
    const monthly = await start({ monthlyQuota: 0 });
    expect(await failureOf(monthly.resend.sendMail(mail("a@example.com"), "k"))).toMatchObject({
      name: "QuotaExceeded",
      untilMs: Date.parse("2026-04-01T00:00:00Z"),
    });
    expect(monthly.told.pausedUntil).toEqual([Date.parse("2026-04-01T00:00:00Z")]);
  });

  test.each([
    ["no answer", { hang: true }, "ProviderUnavailable"],
    ["a connection reset", { reset: 1 }, "ProviderUnavailable"],
    ["a 5xx", { rate5xx: 1 }, "ProviderUnavailable"],
  ])("%s is %s: %s", async (_name, faults, name) => {
    const { providerOf, setFaults } = await start();
    await setFaults(faults);
    expect(await failureOf(providerOf({ timeoutMs: 200 }).sendMail(mail("a@example.com"), "k"))).toMatchObject({
      name,
    });
  });

  test("an error of something in front of Resend, in another shape, is no refusal of the mail", async () => {
    const baseUrl = await serve((_request, response) => {
      response.writeHead(502, { "content-type": "application/json" }).end('{"message":"Bad gateway"}');
    });
    const { pacer } = createOpenPacer();
    const resend = createResend({ apiKey: "re_unit", baseUrl, timeoutMs: 1000, pacer, now: Date.now });
    expect(await failureOf(resend.sendMail(mail("a@example.com"), "k"))).toMatchObject({ name: "ProviderUnavailable" });
  });

  test("a key that is not accepted is our fault, an invalid mail is the mail's", async () => {
    const { resend, providerOf } = await start();
    expect(await failureOf(providerOf({ key: "re_wrong" }).sendMail(mail("a@example.com"), "k"))).toMatchObject({
      name: "ProviderMisconfigured",
    });
    expect(await failureOf(resend.sendMail(mail("nobody"), "k"))).toMatchObject({
      name: "ProviderRefused",
      status: 422,
    });
    expect(await failureOf(resend.sendMail(mail("a@example.com"), "x".repeat(257)))).toMatchObject({
      name: "ProviderRefused",
      status: 400,
    });
  });

  test("tells the pacer the limit of every answer", async () => {
    const { resend, told } = await start({ limit: 7 });
    await resend.sendMail(mail("a@example.com"), "k");
    expect(told.learned).toEqual([7]);
  });

  test("a contact that is not there is left unknown by an unsubscription", async () => {
    const { resend, calls } = await start();
    await resend.setUnsubscribed("nobody@example.com", true);
    expect((await calls()).map(({ status }) => status)).toEqual([404]);
  });

  test("a broadcast is found by its name on any page", async () => {
    const segmentId = "11111111-0000-4000-8000-000000000001";
    const topicId = "22222222-0000-4000-8000-000000000001";
    const { resend } = await start({
      seed: {
        segments: [{ id: segmentId, name: "newsletter" }],
        topics: [{ id: topicId, name: "weekly-digest", defaultSubscription: "opt_out" }],
      },
    });
    const draft = { from: "a@example.com", subject: "s", html: "h", text: "t", segmentId, topicId };
    const first = await resend.createBroadcast({ ...draft, name: "first" });
    for (let index = 0; index < 101; index += 1) await resend.createBroadcast({ ...draft, name: `other ${index}` });
    expect(await resend.findBroadcast("first")).toEqual({ id: first, status: "draft" });
    expect(await resend.findBroadcast("none")).toBeUndefined();
  });
});
