import { afterEach, describe, expect, it } from "vitest";
import { type EmbeddingsOptions, startEmbeddings } from "../../local/vendors/embeddings/server.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { createClock } from "./resend-setup.ts";

const KEY = "sk-of-the-test";
const SMALL = "text-embedding-3-small";
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

type TestAnswer = {
  data: { index: number; embedding: number[] }[];
  usage: { prompt_tokens: number; total_tokens: number };
  error: { message: string; type: string; code: string | null; param: string | null };
};

async function start(options: Partial<EmbeddingsOptions> = {}) {
  const clock = createClock();
  const standIn = await startEmbeddings({ apiKey: KEY, now: clock.now, ...options });
  running.push(standIn);
  const ask = async (body: unknown, headers: Record<string, string> = { authorization: `Bearer ${KEY}` }) => {
    const answer = await fetch(`${standIn.url}/v1/embeddings`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as TestAnswer };
  };
  return {
    clock,
    url: standIn.url,
    ask,
    embed: async (input: string, more: object = {}) =>
      (await ask({ model: SMALL, input, ...more })).body.data[0]?.embedding ?? [],
    setFaults: (faults: object) => fetch(`${standIn.url}/_faults`, { method: "PUT", body: JSON.stringify(faults) }),
  };
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

describe("a vector", () => {
  it("has the model's dimension and length one, and is the same for the same text", async () => {
    const first = await (await start()).embed("A gardener for small plots");
    expect(first).toHaveLength(1_536);
    expect(dot(first, first)).toBeCloseTo(1, 10);
    expect(await (await start()).embed("A gardener for small plots")).toEqual(first);
  });

  it("is nearer to one of a text that shares words", async () => {
    const { embed } = await start();
    const [gardener, plots, bakery] = await Promise.all([
      embed("a gardener for small plots"),
      embed("small plots need a gardener"),
      embed("fresh bread every morning"),
    ]);
    expect(dot(gardener ?? [], plots ?? [])).toBeGreaterThan(0.5);
    expect(dot(gardener ?? [], bakery ?? [])).toBeLessThan(0.2);
  });

  it("can be asked for shorter where the model allows it, at length one again", async () => {
    const { embed, ask } = await start();
    const short = await embed("text", { dimensions: 384 });
    const long = await embed("text");
    expect(short).toHaveLength(384);
    expect(dot(short, short)).toBeCloseTo(1, 10);
    expect((short[0] ?? 0) / (short[1] ?? 0)).toBeCloseTo((long[0] ?? 0) / (long[1] ?? 0), 10);
    expect((await ask({ model: SMALL, input: "text", dimensions: 2_000 })).body.error.param).toBe("dimensions");
    const fixed = await ask({ model: "text-embedding-ada-002", input: "text", dimensions: 384 });
    expect([fixed.status, fixed.body.error.message]).toEqual([400, expect.stringContaining("does not support")]);
  });

  it("comes as packed floats when asked for", async () => {
    const { ask, embed } = await start();
    const answer = await ask({ model: SMALL, input: "text", encoding_format: "base64" });
    const packed: unknown = answer.body.data[0]?.embedding;
    const bytes = Buffer.from(String(packed), "base64");
    expect(bytes).toHaveLength(1_536 * 4);
    expect(bytes.readFloatLE(4)).toBeCloseTo((await embed("text"))[1] ?? 0, 6);
  });
});

describe("a request", () => {
  it("may hold many texts, answered in order, with their tokens counted", async () => {
    const { ask, embed, url } = await start();
    const { body } = await ask({ model: SMALL, input: ["one", "four bytes each"] });
    expect(body.data.map(({ index }) => index)).toEqual([0, 1]);
    expect(body.data[1]?.embedding).toEqual(await embed("four bytes each"));
    expect(body.usage).toEqual({ prompt_tokens: 5, total_tokens: 5 });
    const state = (await (await fetch(`${url}/_state`)).json()) as { embeddings: object[] };
    expect(state.embeddings[0]).toEqual({
      at: "2026-03-02T09:00:00.000Z",
      model: SMALL,
      dimensions: 1_536,
      inputs: 2,
      tokens: 5,
    });
  });

  it("may name a model that the start was given, and no other", async () => {
    const { ask } = await start({ models: { "gte-small": { dimensions: 384, shortens: false } } });
    expect((await ask({ model: "gte-small", input: "text" })).body.data[0]?.embedding).toHaveLength(384);
    const unknown = await ask({ model: SMALL, input: "text" });
    expect([unknown.status, unknown.body.error]).toEqual([
      404,
      expect.objectContaining({ type: "invalid_request_error", code: "model_not_found" }),
    ]);
  });

  it.each([
    [{ model: SMALL }],
    [{ model: SMALL, input: "" }],
    [{ model: SMALL, input: [] }],
    [{ model: SMALL, input: ["text", ""] }],
    [{ model: SMALL, input: 7 }],
    [{ input: "text" }],
  ])("that makes no sense is refused: %j", async (body) => {
    const { ask } = await start();
    const answer = await ask(body);
    expect([answer.status, answer.body.error.type]).toEqual([400, "invalid_request_error"]);
  });

  it("is refused when a text, their number or their sum is too large", async () => {
    const { ask } = await start({ models: { tiny: { dimensions: 2, shortens: false } } });
    const longest = "x".repeat(8_191 * 4);
    const statusOf = async (input: unknown) => (await ask({ model: "tiny", input })).status;
    expect(await statusOf(longest)).toBe(200);
    expect(await statusOf(`${longest}x`)).toBe(400);
    expect(await statusOf("ж".repeat(8_191 * 2 + 1))).toBe(400);
    expect(await statusOf(Array(2_048).fill("x"))).toBe(200);
    expect(await statusOf(Array(2_049).fill("x"))).toBe(400);
    expect(await statusOf(Array(37).fill(longest))).toBe(400);
  });

  it("needs the key", async () => {
    const { ask } = await start();
    for (const headers of [{}, { authorization: "Bearer another" }]) {
      const answer = await ask({ model: SMALL, input: "text" }, headers as Record<string, string>);
      expect([answer.status, answer.body.error.code]).toEqual([401, "invalid_api_key"]);
    }
  });

  it("is limited by the minute", async () => {
    const { ask, clock, setFaults } = await start({ limit: 2 });
    const body = { model: SMALL, input: "text" };
    const first = await ask(body);
    expect(Object.fromEntries(first.headers)).toMatchObject({
      "x-ratelimit-limit-requests": "2",
      "x-ratelimit-remaining-requests": "1",
      "x-ratelimit-reset-requests": "60s",
    });
    await ask(body);
    clock.advance(20_500);
    const refused = await ask(body);
    expect([refused.status, refused.headers.get("retry-after"), refused.body.error.code]).toEqual([
      429,
      "40",
      "rate_limit_exceeded",
    ]);
    clock.advance(39_500);
    expect((await ask(body)).status).toBe(200);
    await setFaults({ rate429: 1 });
    expect((await ask(body)).headers.get("retry-after")).toBe("1");
  });
});
