import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "./http.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const path = "/email/subscribe";
const json = { "content-type": "application/json" };

function expectProblem(answer: Answer, status: number, kind: string): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json()).toEqual({
    type: `urn:flux-station:problem:${kind}`,
    title: expect.any(String),
    status,
    detail: expect.any(String),
    correlation_id: expect.any(String),
    ...(answer.text.includes('"errors"') ? { errors: expect.any(Array) } : {}),
  });
}

describe("A subscription that cannot be carried out", () => {
  test.each<[what: string, body: unknown]>([
    ["no email", { source: "footer" }],
    ["an email that is a number", { email: 7 }],
    ["an email without a domain", { email: "ada" }],
    ["an email without a dot in its domain", { email: "ada@localhost" }],
    ["an email with a display name", { email: "Ada <ada@example.com>" }],
    ["two emails", { email: "ada@example.com,eve@example.com" }],
    ["an email with a line break", { email: "ada@example.com\nBcc: eve@example.com" }],
    ["an email that is too long", { email: `${"a".repeat(250)}@example.com` }],
    ["a field that is too long", { email: "ada@example.com", source: "s".repeat(101) }],
    ["an array", [{ email: "ada@example.com" }]],
    ["null", "null"],
    ["a number", "7"],
    ["a text", '"ada@example.com"'],
    ["an email only in the prototype", '{"__proto__":{"email":"ada@example.com"}}'],
    ["broken JSON", '{"email":"ada@example.com"'],
    ["nothing", ""],
    [
      "bytes that are no UTF-8",
      Buffer.from([...Buffer.from('{"email":"ada@example.com","source":"'), 0xff, 0x22, 0x7d]),
    ],
  ])("because its body is or has %s is answered 400", async (_what, body) => {
    expectProblem(await station.call(path, { body, headers: json }), 400, "invalid-body");
  });

  test("names every field that is wrong at once", async () => {
    const answer = await station.call(path, { body: { email: "ada", source: 7, referrer: "r".repeat(501) } });
    const { errors } = answer.json<{ errors: { field: string }[] }>();
    expect(errors.map(({ field }) => field)).toEqual(["email", "source", "referrer"]);
  });

  test("because it has 101 KiB is answered 413, and 100 KiB pass", async () => {
    const ofSize = (bytes: number) => {
      const body = JSON.stringify({ email: "size@example.com", padding: "" });
      return body.replace('"padding":""', `"padding":"${"x".repeat(bytes - body.length)}"`);
    };
    expectProblem(await station.call(path, { body: ofSize(101 * 1024), headers: json }), 413, "body-too-large");
    expectProblem(await station.call(path, { body: ofSize(100 * 1024 + 1), headers: json }), 413, "body-too-large");
    expect((await station.call(path, { body: ofSize(100 * 1024), headers: json })).status).toBe(202);
    await station.quiet();
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
  ])("because it is %s is answered 415", async (contentType) => {
    const body = '{"email":"type@example.com"}';
    const answer = await station.call(path, { body, headers: { "content-type": contentType } });
    expectProblem(answer, 415, "unsupported-media-type");
  });

  test("because it names no content type is answered 415", async () => {
    expectProblem(await station.call(path, { body: '{"email":"type@example.com"}' }), 415, "unsupported-media-type");
  });

  test("because its Idempotency-Key is endless is answered 400", async () => {
    const answer = await station.call(path, {
      body: { email: "key@example.com" },
      headers: { "idempotency-key": "k".repeat(257) },
    });
    expectProblem(answer, 400, "invalid-request");
  });

  test("because its headers are endless is refused", async () => {
    const answer = await station.call(path, {
      body: { email: "headers@example.com" },
      headers: { "x-padding": "h".repeat(70_000) },
    });
    expect(answer.status).toBe(431);
  });

  test("does not disturb the objects of the function that read it", async () => {
    const body =
      '{"email":"proto@example.com","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    expect((await station.call(path, { body, headers: json })).status).toBe(202);
    await station.quiet();
    expect((await station.contact("proto@example.com"))?.properties).not.toHaveProperty("polluted");
  });

  test("leaves nothing on any queue: only what was accepted was ever received", async () => {
    await station.quiet();
    const { queues, deadLetters } = await station.report();
    expect(deadLetters).toEqual({});
    expect(Object.fromEntries(Object.entries(queues).map(([name, { received }]) => [name, received]))).toEqual({
      subscription: 2,
      // What follows from the two: the site's list of subscribers is stale.
      revalidation: 2,
    });
    expect((await station.contacts()).map(({ email }) => email).toSorted()).toEqual([
      "proto@example.com",
      "size@example.com",
    ]);
  });
});

describe("A path or method that is not there", () => {
  test.each([
    "/",
    "/nowhere",
    "/email",
    "/email/subscribe/more",
    "/EMAIL/subscribe",
    "/flux-station",
    "/email%2fsubscribe",
  ])("%s is answered 404", async (unknown) => {
    expectProblem(await station.call(unknown), 404, "not-found");
  });

  test.each([
    ["GET", "/email/subscribe", "POST"],
    ["DELETE", "/email/unsubscribe", "GET, POST"],
    ["PUT", "/email/count", "GET, POST"],
    ["POST", "/health", "GET"],
    ["GET", "/email/digest", "POST"],
  ])("%s %s is answered 405 and what is allowed", async (method, known, allowed) => {
    const answer = await station.call(known, { method });
    expectProblem(answer, 405, "method-not-allowed");
    expect(answer.headers.allow).toBe(allowed);
  });

  test.each([
    ["/health/", "/health"],
    ["/flux-station/health", "/health"],
    ["/flux-station/email/count/?fresh=1", "/email/count?fresh=1"],
  ])("in its former spelling %s is redirected to %s", async (former, present) => {
    const answer = await station.call(former);
    expect(answer.status).toBe(308);
    expect(answer.headers.location).toBe(present);
    expect((await station.call(present)).status).toBe(200);
  });

  test("in its former spelling keeps a subscription's method and body", async () => {
    const body = { email: "former@example.com" };
    const answer = await station.call("/flux-station/email/subscribe", { body });
    expect(answer.status).toBe(308);
    expect((await station.call(answer.headers.location ?? "", { body })).status).toBe(202);
  });

  test("never redirects away from the station", async () => {
    for (const path of ["/flux-station//evil.example.com/health", "//evil.example.com/health/"]) {
      const answer = await station.call(path);
      expect(answer.status).toBe(404);
      expect(answer.headers.location).toBeUndefined();
    }
  });
});
