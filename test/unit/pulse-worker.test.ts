import { beforeAll, describe, expect, test, vi } from "vitest";
import type { z } from "zod";
import { makeEnvelope } from "../../lambdas/core/messages.ts";
import { InvalidInput, PermanentFailure } from "../../lambdas/core/outcome.ts";
import { ProviderUnavailable } from "../../lambdas/core/provider-failure.ts";
import type { SupabaseProvider } from "../../lambdas/providers/supabase.ts";
import type { MessageSender } from "../../lambdas/runtime/message-sender.ts";
import { createPulseHandler } from "../../lambdas/workers/pulse.ts";

const now = () => Date.parse("2026-03-02T09:00:00Z");
const view = (slug: string) =>
  makeEnvelope(
    "pulse",
    { interaction_type: "view", content_type: "mcp", content_slug: slug },
    { businessKey: "pulse/view", correlationId: "c", nowMs: now() },
  );

/** A database that answers each call with what `answer` makes of the slugs in it. */
function databaseOf(answer: (slugs: string[]) => unknown) {
  const calls: string[][] = [];
  const supabase: SupabaseProvider = {
    async call<S extends z.ZodType>(_name: string, args: Record<string, unknown>, shape: S) {
      const slugs = (args.p_interactions as { content_slug: string }[]).map(({ content_slug }) => content_slug);
      calls.push(slugs);
      return shape.parse(answer(slugs));
    },
  };
  return { supabase, calls };
}

function senderOf(refused: { index: number; reason: string }[] = []) {
  const sent: string[] = [];
  const sender: MessageSender = {
    send: () => Promise.reject(new Error("must not be called")),
    async sendAll(_queue, envelopes) {
      sent.push(...envelopes.map(({ businessKey }) => businessKey));
      return refused;
    },
  };
  return { sender, sent };
}

const stored = { errors: [], touched: [] };
const handle = (supabase: SupabaseProvider, sender = senderOf().sender, oneByOne = false) =>
  createPulseHandler({ supabase, sender, flags: { isOn: async () => oneByOne }, now });

beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
});

describe("interactions that arrive together", () => {
  test("are stored in one call, each judged apart", async () => {
    const { supabase, calls } = databaseOf((slugs) => ({
      errors: slugs.includes("bad") ? [{ index: slugs.indexOf("bad"), error: "unknown type" }] : [],
      touched: [],
    }));
    const store = handle(supabase);
    const results = await Promise.allSettled(["a", "bad", "c"].map((slug) => store(view(slug))));
    expect(calls).toEqual([["a", "bad", "c"]]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({
      reason: { name: "InvalidInput", message: expect.stringContaining("unknown type") },
    });
  });

  test.each([
    ["values", new InvalidInput("22P05: unsupported Unicode escape sequence")],
    ["constraints", new PermanentFailure("23514: check")],
  ])("are stored one by one when one of them makes the database refuse them all for its %s", async (_name, refusal) => {
    const { supabase, calls } = databaseOf((slugs) => {
      if (slugs.includes("poison")) throw refusal;
      return stored;
    });
    const store = handle(supabase);
    const results = await Promise.allSettled(["a", "poison", "c"].map((slug) => store(view(slug))));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({
      reason: { name: "InvalidInput", message: expect.stringContaining(refusal.message) },
    });
    expect(calls).toEqual([["a", "poison", "c"], ["a"], ["poison"], ["c"]]);
  });

  test("are stored in a call each, one after the other, while the flag says so", async () => {
    const { supabase, calls } = databaseOf((slugs) =>
      slugs.includes("bad") ? { errors: [{ index: 0, error: "unknown type" }], touched: [] } : stored,
    );
    const store = handle(supabase, senderOf().sender, true);
    const results = await Promise.allSettled(["a", "bad", "c"].map((slug) => store(view(slug))));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(calls).toEqual([["a"], ["bad"], ["c"]]);
  });

  test("are all tried again when the database does not answer", async () => {
    const { supabase, calls } = databaseOf(() => {
      throw new ProviderUnavailable("down");
    });
    const store = handle(supabase);
    const results = await Promise.allSettled(["a", "b"].map((slug) => store(view(slug))));
    expect(results).toMatchObject([
      { reason: { name: "ProviderUnavailable" } },
      { reason: { name: "ProviderUnavailable" } },
    ]);
    expect(calls).toHaveLength(1);
  });
});

describe("contacts whose score was touched", () => {
  const id = (last: number) => `0b0a8a2e-6f0e-4c3a-9c56-5a8a2d0f000${last}`;
  const touched = [
    { subscription_id: id(1), score_before: 68, score_after: 70 },
    { subscription_id: id(2), score_before: 70, score_after: 100 },
    { subscription_id: id(3), score_before: null, score_after: 80 },
  ];

  test("are passed on when they change segment, or when nobody knows whether that was passed on before", async () => {
    const { sender, sent } = senderOf();
    await handle(databaseOf(() => ({ errors: [], touched })).supabase, sender)(view("a"));
    expect(sent).toEqual([id(1), id(3)]);
  });

  test("that cannot be passed on leave the interaction to be tried again", async () => {
    const { sender } = senderOf([{ index: 0, reason: "throttled" }]);
    const { supabase } = databaseOf(() => ({ errors: [], touched }));
    await expect(handle(supabase, sender)(view("a"))).rejects.toThrow(
      "1 of 2 segment changes were not queued: throttled",
    );
  });
});
