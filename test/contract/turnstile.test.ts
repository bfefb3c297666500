import { afterEach, describe, expect, it } from "vitest";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { startTurnstile } from "../../local/vendors/turnstile.ts";
import { createClock } from "./resend-setup.ts";

const SECRET = "turnstile-secret-of-the-test";
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

async function start() {
  const clock = createClock();
  const standIn = await startTurnstile({ secret: SECRET, hostname: "directory.example.com", now: clock.now });
  running.push(standIn);
  const address = `${standIn.url}/turnstile/v0/siteverify`;
  return {
    clock,
    url: standIn.url,
    address,
    verify: async (body: unknown) => {
      const answer = await fetch(address, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
      return (await answer.json()) as { success: boolean; "error-codes": string[] };
    },
  };
}

const refused = (code: string) => ({ success: false, "error-codes": [code], messages: [] });

describe("a token", () => {
  it("of a visitor who passed is good once", async () => {
    const { verify, url } = await start();
    const body = { secret: SECRET, response: "ok-1", remoteip: "192.0.2.1" };
    expect(await verify(body)).toEqual({
      success: true,
      "error-codes": [],
      challenge_ts: "2026-03-02T09:00:00.000Z",
      hostname: "directory.example.com",
      action: "",
      cdata: "",
    });
    expect(await verify(body)).toEqual(refused("timeout-or-duplicate"));
    expect(await (await fetch(`${url}/_state`)).json()).toMatchObject({
      verifications: [
        { success: true, errorCodes: [], remoteIp: "192.0.2.1" },
        { success: false, errorCodes: ["timeout-or-duplicate"] },
      ],
    });
    expect(await (await fetch(`${url}/_calls`)).text()).not.toContain(SECRET);
  });

  it("may be asked about again under the same idempotency key, for five minutes", async () => {
    const { verify, clock } = await start();
    const ask = async (idempotency_key?: string) =>
      (await verify({ secret: SECRET, response: "ok-1", ...(idempotency_key ? { idempotency_key } : {}) })).success;
    expect(await ask("k-1")).toBe(true);
    expect([await ask("k-1"), await ask("k-2"), await ask()]).toEqual([true, false, false]);
    clock.advance(300_000);
    expect(await ask("k-1")).toBe(true);
    clock.advance(1);
    expect(await ask("k-1")).toBe(false);
  });

  it("expires five minutes after the visitor passed", async () => {
    const { verify, clock } = await start();
    const tokens = ["a", "b"].map((name) => `ok-${clock.now()}-${name}`);
    clock.advance(300_000);
    expect(await verify({ secret: SECRET, response: tokens[0] })).toMatchObject({
      success: true,
      challenge_ts: "2026-03-02T09:00:00.000Z",
    });
    clock.advance(1);
    expect(await verify({ secret: SECRET, response: tokens[1] })).toEqual(refused("timeout-or-duplicate"));
  });

  it("may come in a form", async () => {
    const { address } = await start();
    const form = new URLSearchParams({ secret: SECRET, response: "ok-1" });
    const answer = await fetch(address, { method: "POST", body: form });
    expect(await answer.json()).toMatchObject({ success: true });
  });
});

describe("a question", () => {
  it.each([
    [{ response: "ok-1" }, "missing-input-secret"],
    [{ secret: "another", response: "ok-1" }, "invalid-input-secret"],
    [{ secret: SECRET }, "missing-input-response"],
    [{ secret: SECRET, response: "made-up" }, "invalid-input-response"],
    [{ secret: SECRET, response: `ok-${"x".repeat(2_046)}` }, "invalid-input-response"],
    ["{", "bad-request"],
  ])("that is wrong is answered with why, and spends no token: %j", async (body, code) => {
    const { verify } = await start();
    expect(await verify(body)).toEqual(refused(code));
    expect(await verify({ secret: SECRET, response: "ok-1" })).toMatchObject({ success: true });
  });
});
