import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { resolveStation } from "../../lambdas/core/station.ts";
import { uuidOf } from "../../lambdas/core/uuid.ts";
import { isDatabaseSignature, isSha1Signature, isStandardWebhook } from "../../lambdas/routes/door/signatures.ts";
import { createUserVerifier } from "../../lambdas/routes/door/user-token.ts";
import { createUserSigningKey, publicKeys, signUserToken } from "../../local/supabase/user-tokens.ts";
import { config } from "../../station.config.ts";

describe("A Standard Webhooks signature", () => {
  // The vector of Svix's own libraries.
  const body = Buffer.from('{"test": 2432232314}');
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const sent = {
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: "1614265330",
    signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const at = (seconds: number) => vi.setSystemTime((1_614_265_330 + seconds) * 1000);
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    [0, true],
    [299, true],
    [-299, true],
    [301, false],
    [-301, false],
  ])("seen %i s after it was made is good: %s", (seconds, good) => {
    vi.useFakeTimers();
    at(seconds);
    expect(isStandardWebhook(body, sent, secret)).toBe(good);
  });

  test.each([
    ["another id", { ...sent, id: "msg_other" }],
    ["another time", { ...sent, timestamp: "1614265331" }],
    ["a time that is none", { ...sent, timestamp: "soon" }],
    ["no signature", { ...sent, signature: "" }],
    ["a signature without its version", { ...sent, signature: sent.signature.slice(3) }],
    ["a version that is not ours", { ...sent, signature: sent.signature.replace("v1", "v2") }],
    ["only a version", { ...sent, signature: "v1" }],
  ])("with %s is bad", (_what, changed) => {
    vi.useFakeTimers();
    at(0);
    expect(isStandardWebhook(body, changed, secret)).toBe(false);
  });

  test("counts every byte of the body", () => {
    vi.useFakeTimers();
    at(0);
    expect(isStandardWebhook(Buffer.from('{"test":2432232314}'), sent, secret)).toBe(false);
  });

  test("may be one of several", () => {
    vi.useFakeTimers();
    at(0);
    expect(isStandardWebhook(body, { ...sent, signature: `v1,AAAA ${sent.signature}` }, secret)).toBe(true);
  });
});

test("Vercel's signature is the HMAC-SHA1 of the body in hex", () => {
  const body = Buffer.from("The quick brown fox jumps over the lazy dog");
  expect(isSha1Signature(body, "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", "key")).toBe(true);
  expect(isSha1Signature(body, "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d8", "key")).toBe(false);
  expect(isSha1Signature(body, "", "key")).toBe(false);
});

describe("The database's signature", () => {
  const nowMs = 1_764_000_000_000;
  const body = Buffer.from('{"type": "INSERT", "table": "outbox", "schema": "public"}');
  // select encode(extensions.hmac('1764000000000.' || body, 'poke', 'sha256'), 'base64')
  const sent = { timestamp: String(nowMs), signature: "CuqgfWKFwnYitO2/HEwL6cn1NxnupVbYJHp5P3JcEIw=" };
  test.each([
    [0, true],
    [300_000, true],
    [-300_000, true],
    [300_001, false],
    [-300_001, false],
  ])("seen %i ms after it was made is good: %s", (lateMs, good) => {
    expect(isDatabaseSignature(body, sent, "poke", nowMs + lateMs)).toBe(good);
  });

  test.each(["", "1764000000", "1764000000000 ", "-1764000000000"])("with the time %j is bad", (timestamp) => {
    expect(isDatabaseSignature(body, { ...sent, timestamp }, "poke", nowMs)).toBe(false);
  });
});

describe("A user's token", () => {
  const userId = "6f1f2a50-7a2a-4f4e-9a53-0c1f6a1d9b11";
  const nowMs = 1_764_000_000_000;
  const expiresAt = new Date(nowMs + 60_000);
  const jwtSecret = "s".repeat(48);

  async function verifierOf(answer: { status: number; body: unknown }, secret?: string) {
    const server = createServer((_request, response) => {
      response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const verify = createUserVerifier({
      jwksUrl: `http://127.0.0.1:${address.port}/jwks.json`,
      jwtSecret: async () => secret,
      now: () => nowMs,
    });
    return { verify, close: () => server.close() };
  }

  test("is good until it expires, by the key that the project tells of", async () => {
    const signingKey = await createUserSigningKey();
    const { verify, close } = await verifierOf({ status: 200, body: publicKeys(signingKey) });
    const sign = (more: Partial<Parameters<typeof signUserToken>[0]>) =>
      signUserToken({ userId, expiresAt, ...more }, { signingKey });
    expect(await verify(await sign({}))).toBe(userId);
    expect(await verify(await sign({ expiresAt: new Date(nowMs - 1000) }))).toBeUndefined();
    expect(await verify(await sign({ claims: { aud: "anon" } }))).toBeUndefined();
    expect(await verify(await sign({ claims: { sub: "nobody" } }))).toBeUndefined();
    const strangersKey = await createUserSigningKey();
    expect(await verify(await signUserToken({ userId, expiresAt }, { signingKey: strangersKey }))).toBeUndefined();
    close();
  });

  test("signed with a shared secret is refused by a project that has none", async () => {
    const token = await signUserToken({ userId, expiresAt }, { jwtSecret });
    const without = await verifierOf({ status: 200, body: { keys: [] } });
    expect(await without.verify(token)).toBeUndefined();
    without.close();
    const having = await verifierOf({ status: 200, body: { keys: [] } }, jwtSecret);
    expect(await having.verify(token)).toBe(userId);
    having.close();
  });

  test("signed with the public key as if it were a secret is refused", async () => {
    const signingKey = await createUserSigningKey();
    const { verify, close } = await verifierOf({ status: 200, body: publicKeys(signingKey) }, jwtSecret);
    const secret = JSON.stringify(publicKeys(signingKey).keys[0]);
    expect(await verify(await signUserToken({ userId, expiresAt }, { jwtSecret: secret }))).toBeUndefined();
    close();
  });

  test("is not judged while the keys cannot be read", async () => {
    const signingKey = await createUserSigningKey();
    const { verify, close } = await verifierOf({ status: 500, body: {} });
    const token = await signUserToken({ userId, expiresAt }, { signingKey });
    await expect(verify(token)).rejects.toMatchObject({ name: "ProviderUnavailable" });
    close();
  });
});

test("subscribing asks for a captcha where the config says so, and only there", () => {
  expect(resolveStation(config).routes["email-subscribe"].auth.scheme).toBe("public");
  const asking = resolveStation({ ...config, captcha: { onSubscribe: true } });
  expect(asking.routes["email-subscribe"].auth.scheme).toBe("captcha");
});

test("a UUID of the same parts is the same, and of parts cut otherwise another", () => {
  const uuid = uuidOf("ab", Buffer.from("c"));
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidOf("ab", "c")).toBe(uuid);
  expect(uuidOf("a", "bc")).not.toBe(uuid);
});
