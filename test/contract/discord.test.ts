import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type DiscordOptions, startDiscord } from "../../local/vendors/discord/server.ts";
import type { Exchange } from "../../local/vendors/recording.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";
import { checkRecording } from "./openapi.ts";
import { createClock } from "./resend-setup.ts";

const JOBS = { id: "1200000000000000001", token: "jobs-token-of-the-test", name: "jobs" };
const NEWS = { id: "1200000000000000002", token: "news-token-of-the-test", name: "news" };

const exchanges: Exchange[] = [];
const running: StandIn[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.close()));
});

afterAll(() => {
  const { checked, findings, skipped } = checkRecording(exchanges);
  if (skipped) process.stderr.write(`OpenAPI check skipped: ${skipped}\n`);
  else expect(checked).toBe(exchanges.length);
  expect(findings).toEqual([]);
});

type TestMessage = { id: string; content: string; edited_timestamp: string | null; embeds: object[] };
type TestState = { messages: { id: string; webhook: string; content: string; edits: number }[] };

async function start(options: Partial<DiscordOptions> = {}) {
  const clock = createClock();
  const standIn = await startDiscord({
    webhooks: [JOBS, NEWS],
    now: clock.now,
    record: (exchange) => exchanges.push(exchange),
    ...options,
  });
  running.push(standIn);
  const { url } = standIn;
  const addressOf = (webhook: { id: string; token: string }) =>
    `${url}/api/v10/webhooks/${webhook.id}/${webhook.token}`;
  const send = (method: string, address: string, body?: unknown) =>
    fetch(address, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  return {
    clock,
    url,
    send,
    jobs: addressOf(JOBS),
    news: addressOf(NEWS),
    addressOf,
    post: (body: unknown, address = addressOf(JOBS)) => send("POST", `${address}?wait=true`, body),
    setFaults: (faults: object) => send("PUT", `${url}/_faults`, faults),
    state: async () => (await (await fetch(`${url}/_state`)).json()) as TestState,
  };
}

const read = async (answer: Response) => (await answer.json()) as TestMessage;
const refusal = async (answer: Response) => [answer.status, ((await answer.json()) as { code: number }).code];

describe("messages", () => {
  it("are created, read, edited and deleted, each edit counted", async () => {
    const { post, send, jobs, clock, state } = await start();
    const created = await post({ content: "A job", username: "Job board", embeds: [{ title: "Gardener" }] });
    expect(created.status).toBe(200);
    const message = await read(created);
    expect(message).toMatchObject({
      content: "A job",
      embeds: [{ type: "rich", title: "Gardener" }],
      timestamp: "2026-03-02T09:00:00.000000+00:00",
      edited_timestamp: null,
      author: { username: "Job board" },
    });

    clock.advance(1_000);
    const edited = await read(await send("PATCH", `${jobs}/messages/${message.id}`, { content: "A better job" }));
    expect(edited).toEqual({
      ...message,
      content: "A better job",
      edited_timestamp: "2026-03-02T09:00:01.000000+00:00",
    });
    expect(await read(await send("GET", `${jobs}/messages/${message.id}`))).toEqual(edited);
    expect((await state()).messages).toMatchObject([
      { id: message.id, webhook: "jobs", content: "A better job", edits: 1 },
    ]);

    const deleted = await send("DELETE", `${jobs}/messages/${message.id}`);
    expect([deleted.status, await deleted.text()]).toEqual([204, ""]);
    expect((await state()).messages).toEqual([]);
    expect(await refusal(await send("PATCH", `${jobs}/messages/${message.id}`, { content: "x" }))).toEqual([
      404, 10_008,
    ]);
  });

  it("are answered only to those who wait", async () => {
    const { send, jobs, state } = await start();
    for (const address of [jobs, `${jobs}?wait=false`]) {
      const answer = await send("POST", address, { content: "A job" });
      expect([answer.status, await answer.text()]).toEqual([204, ""]);
    }
    expect((await state()).messages).toHaveLength(2);
  });

  it("keep what an edit does not name and lose what it sets to null", async () => {
    const { post, send, jobs } = await start();
    const { id } = await read(await post({ content: "A job", embeds: [{ title: "Gardener", fields: [] }] }));
    const edit = async (body: object) => read(await send("PATCH", `${jobs}/messages/${id}`, body));
    expect(await edit({ embeds: [{ title: "Baker", footer: { text: "now", icon_url: null } }] })).toMatchObject({
      content: "A job",
      embeds: [{ type: "rich", title: "Baker", footer: { text: "now" } }],
    });
    expect(await edit({ content: null })).toMatchObject({ content: "", embeds: [{ title: "Baker" }] });
  });

  it("belong to the webhook that posted them, and have ids that grow", async () => {
    const { post, send, news } = await start();
    const ids: string[] = [];
    for (const content of ["1", "2"]) ids.push((await read(await post({ content }))).id);
    expect(BigInt(ids[1] ?? 0)).toBeGreaterThan(BigInt(ids[0] ?? 0));
    expect(await refusal(await send("GET", `${news}/messages/${ids[0]}`))).toEqual([404, 10_008]);
  });
});

describe("what Discord refuses", () => {
  it("is an unknown webhook, a wrong token, and a path that it does not have", async () => {
    const { send, addressOf, url } = await start();
    const body = { content: "x" };
    expect(await refusal(await send("POST", addressOf({ ...JOBS, id: "1" }), body))).toEqual([404, 10_015]);
    expect(await refusal(await send("POST", addressOf({ ...JOBS, token: NEWS.token }), body))).toEqual([401, 50_027]);
    expect((await send("GET", `${url}/api/v10/users/@me`)).status).toBe(404);
  });

  it.each([
    ["nothing at all", {}],
    ["white space", { content: " \n" }],
    ["an embed without text", { embeds: [{ color: 1 }] }],
    ["no embeds", { content: null, embeds: [] }],
  ])("is a message that shows nothing: %s", async (_, body) => {
    const { post, state } = await start();
    expect(await refusal(await post(body))).toEqual([400, 50_006]);
    expect((await state()).messages).toEqual([]);
  });

  it("is an edit that leaves nothing to show", async () => {
    const { post, send, jobs, state } = await start();
    const { id } = await read(await post({ content: "A job" }));
    expect(await refusal(await send("PATCH", `${jobs}/messages/${id}`, { content: "" }))).toEqual([400, 50_006]);
    expect((await state()).messages).toMatchObject([{ content: "A job", edits: 0 }]);
  });

  it("is a body that is not JSON, or does not say that it is", async () => {
    const { jobs } = await start();
    const headers = { "content-type": "application/json" };
    expect(await refusal(await fetch(jobs, { method: "POST", body: "{", headers }))).toEqual([400, 50_109]);
    const unnamed = await fetch(jobs, { method: "POST", body: JSON.stringify({ content: "x" }) });
    expect(await refusal(unnamed)).toEqual([400, 50_006]);
  });

  const embed = (part: object) => ({ embeds: [{ description: "d" }, part] });
  const field = (part: object) => embed({ fields: [{ name: "n", value: "v", ...part }] });
  it.each([
    [2_000, "content", (length: number) => ({ content: "x".repeat(length) })],
    [80, "username", (length: number) => ({ content: "x", username: "x".repeat(length) })],
    [256, "embeds.1.title", (length: number) => embed({ title: "x".repeat(length) })],
    [4_096, "embeds.1.description", (length: number) => embed({ description: "x".repeat(length) })],
    [2_048, "embeds.1.footer.text", (length: number) => embed({ footer: { text: "x".repeat(length) } })],
    [256, "embeds.1.author.name", (length: number) => embed({ author: { name: "x".repeat(length) } })],
    [256, "embeds.1.fields.0.name", (length: number) => field({ name: "x".repeat(length) })],
    [1_024, "embeds.1.fields.0.value", (length: number) => field({ value: "x".repeat(length) })],
    [25, "embeds.1.fields", (length: number) => embed({ fields: Array(length).fill({ name: "n", value: "v" }) })],
    [10, "embeds", (length: number) => ({ embeds: Array(length).fill({ title: "t" }) })],
  ])("is more than %i in %s", async (maximum, path, body) => {
    const { post } = await start();
    expect((await post(body(maximum))).status).toBe(200);
    const refused = await post(body(maximum + 1));
    expect(refused.status).toBe(400);
    expect(await refused.json()).toEqual({
      code: 50_035,
      message: "Invalid Form Body",
      errors: nest(path, [{ code: "BASE_TYPE_MAX_LENGTH", message: `Must be ${maximum} or fewer in length.` }]),
    });
  });

  it("is more than 6,000 characters over all embeds", async () => {
    const { post } = await start();
    const half = { title: "t".repeat(100), description: "d".repeat(2_800), footer: { text: "f".repeat(100) } };
    expect((await post({ embeds: [half, half] })).status).toBe(200);
    const refused = await post({ embeds: [half, { ...half, author: { name: "a" } }] });
    expect(await refused.json()).toMatchObject({
      code: 50_035,
      errors: { embeds: { _errors: [{ code: "MAX_EMBED_SIZE_EXCEEDED" }] } },
    });
  });

  it.each([
    [{ embeds: [{ fields: [{ name: " ", value: "v" }] }] }, "embeds.0.fields.0.name", "BASE_TYPE_REQUIRED"],
    [{ embeds: [{ fields: [{ name: "n" }] }] }, "embeds.0.fields.0.value", "BASE_TYPE_REQUIRED"],
    [{ embeds: [{ title: "t", url: "/jobs/1" }] }, "embeds.0.url", "URL_TYPE_INVALID_URL"],
    [{ embeds: [{ title: "t", color: 16_777_216 }] }, "embeds.0.color", "NUMBER_TYPE_MAX"],
    [{ embeds: [{ title: "t", timestamp: "yesterday" }] }, "embeds.0.timestamp", "DATE_TIME_TYPE_PARSE"],
    [{ content: "x", username: "Discord jobs" }, "username", "USERNAME_INVALID_CONTAINS"],
    [{ content: 7 }, "content", "BASE_TYPE_CHOICES"],
  ])("is what has no meaning: %j", async (body, path, code) => {
    const { post } = await start();
    const refused = await post(body);
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      { code: 50_035, errors: nest(path, [{ code }]) },
    ]);
  });
});

describe("the rate limit", () => {
  it("is five requests in two seconds for each webhook, failed ones counted", async () => {
    const { post, clock, news } = await start();
    const first = await post({ content: "1" });
    expect(Object.fromEntries(first.headers)).toMatchObject({
      "x-ratelimit-limit": "5",
      "x-ratelimit-remaining": "4",
      "x-ratelimit-reset": "1772442002.000",
      "x-ratelimit-reset-after": "2.000",
      "x-ratelimit-bucket": expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    for (let n = 2; n <= 4; n += 1) await post({ content: String(n) });
    expect((await post({})).headers.get("x-ratelimit-remaining")).toBe("0");

    clock.advance(500);
    const refused = await post({ content: "6" });
    expect(refused.status).toBe(429);
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      "retry-after": "2",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset-after": "1.500",
      "x-ratelimit-scope": "user",
    });
    expect(await refused.json()).toEqual({ message: "You are being rate limited.", retry_after: 1.5, global: false });
    expect((await post({ content: "elsewhere" }, news)).status).toBe(200);
    clock.advance(1_500);
    expect((await post({ content: "6" })).status).toBe(200);
  });

  it("is thirty requests in a minute, of which only the 429 tells", async () => {
    const { post, clock, state } = await start();
    for (let burst = 0; burst < 6; burst += 1) {
      for (let n = 0; n < 5; n += 1) expect((await post({ content: "x" })).status).toBe(200);
      clock.advance(2_000);
    }
    const refused = await post({ content: "x" });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "48"]);
    expect(refused.headers.get("x-ratelimit-scope")).toBe("shared");
    clock.advance(48_000);
    expect((await post({ content: "x" })).status).toBe(200);
    expect((await state()).messages).toHaveLength(31);
  });

  it("can be changed while running", async () => {
    const { post, setFaults } = await start();
    await setFaults({ limit: 1 });
    expect([(await post({ content: "1" })).status, (await post({ content: "2" })).status]).toEqual([200, 429]);
    await setFaults({ limit: 1_000 });
    for (let n = 0; n < 40; n += 1) expect((await post({ content: "x" })).status).toBe(200);
  });
});

describe("faults", () => {
  it("answer 429 and 500 in Discord's words, without posting", async () => {
    const { post, setFaults, state } = await start();
    await setFaults({ rate429: 1 });
    const limited = await post({ content: "x" });
    expect([limited.status, limited.headers.get("retry-after"), await limited.json()]).toEqual([
      429,
      "1",
      { message: "You are being rate limited.", retry_after: 1, global: false },
    ]);
    await setFaults({ rate5xx: 1 });
    expect(await refusal(await post({ content: "x" }))).toEqual([500, 0]);
    expect((await state()).messages).toEqual([]);
  });

  it("post a message and never answer", async () => {
    const { jobs, setFaults, state } = await start();
    await setFaults({ acceptThenTimeout: 1 });
    const attempt = fetch(`${jobs}?wait=true`, {
      method: "POST",
      body: JSON.stringify({ content: "x" }),
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(100),
    });
    await expect(attempt).rejects.toThrow();
    expect((await state()).messages).toMatchObject([{ content: "x" }]);
  });
});

it("never shows a webhook's token", async () => {
  const recorded: Exchange[] = [];
  const { post, send, jobs, url } = await start({ record: (exchange) => recorded.push(exchange) });
  const { id } = await read(await post({ content: "x" }));
  await send("GET", `${jobs}/messages/${id}?wait=true`);
  await send("POST", jobs.replace(JOBS.token, "another-token"), { content: "x" });
  const calls = await (await fetch(`${url}/_calls`)).text();
  const state = await (await fetch(`${url}/_state`)).text();
  expect(recorded.map((exchange) => exchange.url)).toEqual([
    `https://discord.com/api/v10/webhooks/${JOBS.id}/[redacted]?wait=true`,
    `https://discord.com/api/v10/webhooks/${JOBS.id}/[redacted]/messages/${id}?wait=true`,
    `https://discord.com/api/v10/webhooks/${JOBS.id}/[redacted]`,
  ]);
  expect(JSON.stringify(recorded) + calls + state).not.toMatch(/token-of-the-test|another-token/);
});

describe("the OpenAPI check", () => {
  const exchange: Exchange = {
    at: "2026-03-02T09:00:00.000Z",
    vendor: "discord",
    method: "POST",
    url: `https://discord.com/api/v10/webhooks/${JOBS.id}/[redacted]`,
    headers: {},
    body: { content: "x" },
    status: 204,
    response: null,
    correlationId: null,
  };
  const { skipped } = checkRecording([]);

  it.runIf(skipped === null).each([
    [{}, undefined],
    [{ body: { content: "x", embed: [] } }, "request"],
    [{ body: { embeds: [{ titel: "t" }] } }, "request"],
    [{ url: `${exchange.url}?wiat=true` }, "query ?wiat unknown"],
    [{ url: exchange.url.replace("v10", "v9") }, "not under"],
    [{ status: 200, response: { id: "1" } }, "required property 'content'"],
  ])("holds a webhook's call against Discord's spec: %j", (change, finding) => {
    const { findings } = checkRecording([{ ...exchange, ...change }]);
    if (finding === undefined) expect(findings).toEqual([]);
    else expect(findings.join("\n")).toContain(finding);
  });
});

/** `nest("a.0", errors)` is `{a: {0: {_errors: errors}}}`. */
function nest(path: string, errors: object[]): object {
  return path.split(".").reduceRight<object>((inner, key) => ({ [key]: inner }), { _errors: errors });
}
