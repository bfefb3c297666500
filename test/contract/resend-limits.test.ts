import { Resend } from "resend";
import { describe, expect, it } from "vitest";
import { API_KEY, LETTER, prepareResend } from "./resend-setup.ts";

const { start } = prepareResend();

describe("keys", () => {
  it("are asked for and compared", async () => {
    const { url } = await start();
    const missing = await fetch(`${url}/contacts`);
    expect([missing.status, await missing.json()]).toEqual([401, expect.objectContaining({ name: "missing_api_key" })]);
    const { error } = await new Resend("re_other", { baseUrl: url }).contacts.list();
    expect(error).toEqual({ statusCode: 403, name: "invalid_api_key", message: "API key is invalid" });
  });
});

describe("the rate limit", () => {
  it("allows ten requests in a window of one second that starts at the first of them", async () => {
    const { resend, clock } = await start({ limit: undefined });
    const ask = () => resend.segments.list();
    clock.advance(700);
    const first = await ask();
    expect(first.headers).toMatchObject({
      "ratelimit-limit": "10",
      "ratelimit-remaining": "9",
      "ratelimit-reset": "1",
      "ratelimit-policy": "10;w=1",
    });
    expect(first.headers).not.toHaveProperty("retry-after");
    for (let n = 0; n < 9; n += 1) expect((await ask()).error).toBeNull();

    // A clock-aligned window would have begun anew at 1,000 ms.
    clock.advance(999);
    const refused = await ask();
    expect(refused.error).toMatchObject({ statusCode: 429, name: "rate_limit_exceeded" });
    expect(refused.headers).toMatchObject({ "retry-after": "1", "ratelimit-remaining": "0" });
    clock.advance(1);
    expect((await ask()).error).toBeNull();
  });

  it("counts requests that fail but not those to the stand-in itself", async () => {
    const { resend, clock, state, url } = await start({ limit: 2 });
    await state();
    await fetch(`${url}/_calls`);
    expect((await resend.segments.get("none")).error?.statusCode).toBe(404);
    expect((await resend.segments.list()).headers?.["ratelimit-remaining"]).toBe("0");
    expect((await resend.segments.list()).error?.statusCode).toBe(429);
    clock.advance(1_000);
    expect((await resend.segments.list()).headers?.["ratelimit-remaining"]).toBe("1");
  });

  it("can be changed while running", async () => {
    const { resend, setFaults } = await start({ limit: undefined });
    await setFaults({ limit: 3 });
    expect((await resend.segments.list()).headers).toMatchObject({
      "ratelimit-limit": "3",
      "ratelimit-policy": "3;w=1",
    });
    await setFaults({});
    expect((await resend.segments.list()).headers?.["ratelimit-limit"]).toBe("10");
  });
});

describe("quotas", () => {
  it("refuse mails beyond the day's, a batch as a whole, until the next day", async () => {
    const { resend, clock, outbox } = await start({ dailyQuota: 3 });
    await resend.emails.send(LETTER);
    const batch = await resend.batch.send([LETTER, LETTER, LETTER]);
    expect(batch.error).toMatchObject({ statusCode: 429, name: "daily_quota_exceeded" });
    expect(batch.headers).not.toHaveProperty("retry-after");
    expect((await resend.batch.send([LETTER, LETTER])).error).toBeNull();
    expect((await resend.emails.send(LETTER)).error?.name).toBe("daily_quota_exceeded");
    clock.advance(24 * 60 * 60 * 1_000);
    expect((await resend.emails.send(LETTER)).error).toBeNull();
    expect(await outbox()).toHaveLength(4);
  });

  it("name the month's when that is what is gone", async () => {
    const { resend, clock } = await start({ monthlyQuota: 1 });
    await resend.emails.send(LETTER);
    clock.advance(24 * 60 * 60 * 1_000);
    expect((await resend.emails.send(LETTER)).error?.name).toBe("monthly_quota_exceeded");
  });
});

describe("faults", () => {
  it("answer 429 and 500 in Resend's words, without doing the work", async () => {
    const { resend, setFaults, outbox } = await start();
    await setFaults({ rate429: 1 });
    const limited = await resend.emails.send(LETTER);
    expect(limited.error).toMatchObject({ statusCode: 429, name: "rate_limit_exceeded" });
    expect(limited.headers?.["retry-after"]).toBe("1");
    await setFaults({ rate5xx: 1 });
    expect((await resend.emails.send(LETTER)).error).toMatchObject({ statusCode: 500, name: "application_error" });
    expect(await outbox()).toEqual([]);
  });

  it("accept a mail and never answer, so that only the key tells the repeat from a second mail", async () => {
    const { resend, setFaults, outbox } = await start();
    await setFaults({ acceptThenTimeout: 1 });
    const attempt = { idempotencyKey: "welcome/1", signal: AbortSignal.timeout(100) };
    expect((await resend.emails.send(LETTER, attempt)).error?.statusCode).toBeNull();
    expect(await outbox()).toHaveLength(1);
    await setFaults({});
    const again = await resend.emails.send(LETTER, { idempotencyKey: "welcome/1" });
    const [mail, ...others] = await outbox();
    expect(again.data?.id).toBe(mail?.id);
    expect(others).toEqual([]);
  });
});

it("answers 404 in Resend's shape for an endpoint that it does not have", async () => {
  const { url } = await start();
  const answer = await fetch(`${url}/nowhere`, { headers: { authorization: `Bearer ${API_KEY}` } });
  expect(await answer.json()).toEqual({
    statusCode: 404,
    name: "not_found",
    message: "The requested endpoint does not exist.",
  });
});
