import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
beforeAll(async () => {
  station = await startFlowStation();
}, START_TIMEOUT_MS);
afterAll(() => station?.stop());

const internalPaths = ["/email/digest", "/email/sequence", "/pulse"];
const interaction = { content_type: "mcp", content_slug: "calendar-reader", interaction_type: "view" };

const withSecret = (secret: string) => station.callInternal("/pulse", { headers: { "x-internal-secret": secret } });

describe("An internal route", () => {
  test.each(internalPaths)(
    "%s turns away whoever shows no secret or a wrong one, and nothing happens",
    async (path) => {
      const { internalSecret } = station.credentials;
      const wrong = ["", "wrong", internalSecret.slice(0, -1), `${internalSecret}x`, internalSecret.toUpperCase()];
      for (const headers of [{}, ...wrong.map((secret) => ({ "x-internal-secret": secret }))]) {
        const answer = await station.call(path, { method: "POST", headers: { ...headers } });
        expect(answer.status).toBe(401);
        expect(answer.headers["content-type"]).toBe("application/problem+json");
        expect(answer.headers["www-authenticate"]).toBe("InternalSecret");
        expect(answer.text).not.toContain(internalSecret);
      }
      const inOtherPlaces = await station.call(`${path}?internalSecret=${internalSecret}`, {
        method: "POST",
        headers: { authorization: `Bearer ${internalSecret}` },
      });
      expect(inOtherPlaces.status).toBe(401);
      await station.quiet();
      expect((await station.report()).queues).toEqual({});
      expect(await station.calls()).toEqual([]);
    },
  );

  test.each(internalPaths)("%s lets in whoever shows the secret", async (path) => {
    const answer = await station.callInternal(path, path === "/pulse" ? { body: interaction } : {});
    expect(answer.status).toBe(202);
    await station.quiet();
  });

  test("answers the queue's state when it is called without a body", async () => {
    const answer = await station.callInternal("/pulse");
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ queue: "pulse", queue_length: 0, dead_letters: 0 });
  });

  test("takes the former and the new secret during a rotation, and afterwards only the new one", async () => {
    const former = station.credentials.internalSecret;
    const present = "the-next-internal-secret-0123456789";
    expect((await withSecret(present)).status).toBe(401);

    await station.changeSecret({ internalSecret: present, internalSecretPrevious: former });
    await station.advance(301_000);
    expect((await withSecret(present)).status).toBe(200);
    expect((await withSecret(former)).status).toBe(200);
    expect((await withSecret("wrong")).status).toBe(401);

    await station.changeSecret({ internalSecretPrevious: null });
    await station.advance(301_000);
    expect((await withSecret(present)).status).toBe(200);
    expect((await withSecret(former)).status).toBe(401);
  });
});

describe("A public route", () => {
  test("needs no secret, and a wrong one does no harm", async () => {
    const answer = await station.call("/email/subscribe", {
      body: { email: "anyone@example.com" },
      headers: { "x-internal-secret": "wrong" },
    });
    expect(answer.status).toBe(202);
  });
});
