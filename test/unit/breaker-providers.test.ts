import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { DiscordMessage } from "../../lambdas/core/discord-message.ts";
import { Deferred } from "../../lambdas/core/outcome.ts";
import { createDiscordWebhook } from "../../lambdas/providers/discord.ts";
import { createResend } from "../../lambdas/providers/resend.ts";
import { createSite } from "../../lambdas/providers/site.ts";
import { createSupabase } from "../../lambdas/providers/supabase.ts";
import { createTurnstile } from "../../lambdas/providers/turnstile.ts";
import type { Breaker } from "../../lambdas/runtime/breaker.ts";
import { startHttpServer } from "./http-server.ts";
import { createOpenPacer, mailTo } from "./resend-provider.ts";

const message: DiscordMessage = { content: "x", embeds: [], allowed_mentions: { parse: [] } };
const restUntilMs = 1_800_000_000_000;
const cleanups: (() => unknown)[] = [];
let calls = 0;
let told: string[] = [];

beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
  calls = 0;
  told = [];
});

/** A vendor that answers everything alike; without an answer it hangs up. */
async function serve(answer?: { status: number; body?: unknown }): Promise<string> {
  const server = await startHttpServer((request, response) => {
    calls += 1;
    if (!answer) {
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer.body ?? { statusCode: answer.status, name: "n", message: "m", code: "c" }));
  });
  cleanups.push(server.close);
  return server.url;
}

/** Lets every call through, notes what it is told, and is open after each failure. */
const listening: Breaker = {
  admit: async () => "free",
  admitAsKnown: async () => "free",
  giveBack: async () => {},
  answered: async () => {
    told.push("answered");
  },
  failed: async () => {
    told.push("failed");
    return restUntilMs;
  },
};
const refuse = () => Promise.reject(new Deferred("left alone", restUntilMs));
const open: Breaker = { ...listening, admit: refuse, admitAsKnown: refuse };

const callsOf = (baseUrl: string, breaker: Breaker) => {
  const common = { timeoutMs: 300, breaker, now: Date.now };
  const { pacer } = createOpenPacer();
  const resend = createResend({ apiKey: "re_unit", baseUrl, pacer, ...common });
  const webhook = createDiscordWebhook({ baseUrl, address: "1/token", pacer, ...common });
  return {
    Resend: async () => {
      await resend.acquire("urgent");
      return resend.sendMail(mailTo("a@example.com"), "key");
    },
    "Resend's contacts": () => resend.listSegments("contact"),
    Discord: async () => {
      await webhook.acquire();
      return webhook.create(message);
    },
    "a post that is edited": () => webhook.edit("1", message),
    "the site": () => createSite({ baseUrl, secret: "s", secretIn: "header", ...common }).revalidate({ tags: [] }),
    "the database": () =>
      createSupabase({ url: baseUrl, serviceRoleKey: "key", ...common }).call("count", {}, z.unknown()),
    Turnstile: () => createTurnstile({ baseUrl, secret: "s", ...common }).verify("token", "192.0.2.1"),
  };
};
type Name = keyof ReturnType<typeof callsOf>;
const names = Object.keys(callsOf("http://127.0.0.1", open)) as Name[];
const resultOf = (work: Promise<unknown>) => work.catch((error: unknown) => error);

describe.each(names)("%s", (name) => {
  test("is not called while its breaker is open", async () => {
    const url = await serve({ status: 200 });
    expect(await resultOf(callsOf(url, open)[name]())).toMatchObject({ name: "Deferred", untilMs: restUntilMs });
    expect(calls).toBe(0);
  });

  test.each([
    ["hangs up", undefined],
    ["fails on its side", { status: 500, body: "a proxy's page" }],
  ])("has failed when it %s, which says until when it is left alone", async (_what, answer) => {
    const url = await serve(answer);
    const error = await resultOf(callsOf(url, listening)[name]());
    expect(told).toEqual(["failed"]);
    expect(error).toMatchObject({ name: "ProviderUnavailable", restUntilMs });
  });
});

describe("an answer", () => {
  test.each<[Name, number]>([
    ["Resend", 429],
    ["Resend", 401],
    ["Resend", 422],
    ["Discord", 429],
    ["Discord", 403],
    ["the site", 404],
    ["the site", 429],
  ])("of %s of status %i is none of an outage", async (name, status) => {
    await resultOf(callsOf(await serve({ status }), listening)[name]());
    expect(told).toEqual(["answered"]);
  });

  test.each([
    ["57014", 500, "failed"],
    ["53300", 500, "failed"],
    ["PGRST002", 503, "failed"],
    ["40P01", 500, "answered"],
    ["XX000", 500, "answered"],
    ["P0001", 400, "answered"],
    ["42501", 403, "answered"],
  ])("of the database with code %s and status %i means that it %s", async (code, status, meaning) => {
    const body = { code, message: "m", details: null, hint: null };
    await resultOf(callsOf(await serve({ status, body }), listening)["the database"]());
    expect(told).toEqual([meaning]);
  });
});
