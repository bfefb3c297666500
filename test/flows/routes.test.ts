import { randomUUID } from "node:crypto";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RouteName, type RouteRecord, routes } from "../../registry/routes.ts";
import { effects, expectProblem, received } from "./effects.ts";
import { type Answer, freshAddress } from "./http.ts";
import { anyone, type Headers, type Row, rows, type Signer } from "./route-table.ts";
import { signingFor } from "./signing.ts";
import { type FlowStation, START_TIMEOUT_MS, startFlowStation } from "./station.ts";

let station: FlowStation;
let sign: Signer;
let dynamodb: DynamoDBClient;
beforeAll(async () => {
  station = await startFlowStation();
  sign = signingFor(station);
  dynamodb = new DynamoDBClient({
    endpoint: station.endpoints.dynamodb,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
}, START_TIMEOUT_MS);
afterAll(async () => {
  dynamodb?.destroy();
  await station?.stop();
});

const recordOf = ({ name }: Row): RouteRecord => routes[name];
const titled = rows.map((each) => [each.name + (each.by ? ` called by ${each.by}` : ""), each] as const);
const bodyOf = ({ body }: Row): string => (body ? JSON.stringify(body()) : "");
/** A way of being let in, or not. */
type Show = (sign: Signer, body: string) => Headers | Promise<Headers>;

async function ask(
  each: Row,
  body: string,
  show: Show,
  more: { headers?: Headers; from?: string } = {},
): Promise<Answer> {
  const { path } = recordOf(each);
  const shown = await show(sign, body);
  return station.call(each.path ?? path, {
    method: each.method ?? "POST",
    ...(body ? { body } : {}),
    headers: {
      ...(body ? { "content-type": "application/json" } : {}),
      ...each.headers,
      ...shown,
      ...more.headers,
    },
    ...(more.from ? { from: more.from } : {}),
  });
}

/** Uses up what a client has left in a bucket, in this minute and in the next. */
async function exhaust(bucket: RouteRecord["bucket"], client: string): Promise<void> {
  const minute = Math.floor(Date.parse((await station.report()).now) / 60_000);
  for (const window of [minute, minute + 1])
    await dynamodb.send(
      new PutItemCommand({
        TableName: "prod-flux-state",
        Item: { pk: { S: `bucket#${bucket}#${client}` }, sk: { S: String(window) }, hits: { N: "1000000" } },
      }),
    );
}

test("the table has every route of the original", () => {
  const added: RouteName[] = ["email-unsubscribe", "health"];
  const original = Object.keys(routes).filter((name) => !added.some((each) => each === name));
  expect([...new Set(rows.map(({ name }) => name))].toSorted()).toEqual(original.toSorted());
  expect(original).toHaveLength(24);
});

describe.each(titled)("%s turns away", (_title, each) => {
  const { scheme } = each;
  // At the default route, what shows no vendor's headers is no webhook.
  const withoutCredential = each.name === "webhooks" ? 404 : 401;

  if (scheme !== anyone)
    test("whoever shows no credential", async () => {
      expectProblem(await ask(each, bodyOf(each), () => ({})), withoutCredential);
    });

  for (const [what, show] of Object.entries(scheme.wrong)) {
    test(`whoever shows ${what}`, async () => {
      const answer = await ask(each, bodyOf(each), show);
      expect([401, withoutCredential]).toContain(answer.status);
      expectProblem(answer, answer.status);
    });
  }

  for (const [what, show] of Object.entries(scheme.expired ?? {})) {
    test(`${what}, which has expired`, async () => {
      expectProblem(await ask(each, bodyOf(each), show), 401);
    });
  }

  if (each.malformed !== undefined) {
    test("a body of another shape", async () => {
      expectProblem(await ask(each, JSON.stringify(each.malformed), scheme.genuine), 400);
    });

    test("a body that is no JSON", async () => {
      expectProblem(await ask(each, '{"broken', scheme.genuine), 400);
    });
  }

  if (each.method !== "GET")
    test("a body that is too large", async () => {
      const body = JSON.stringify({ padding: "x".repeat(recordOf(each).maxBodyBytes) });
      expectProblem(await ask(each, body, scheme.genuine), 413);
    });

  test("a client that has used up its bucket", async () => {
    const from = freshAddress();
    await exhaust(recordOf(each).bucket, from);
    const answer = await ask(each, bodyOf(each), scheme.genuine, { from });
    expectProblem(answer, 429);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(answer.headers["ratelimit-remaining"]).toBe("0");
  });
});

test("Nothing of what was turned away had an effect", async () => {
  await station.quiet();
  const { queues, deadLetters } = await station.report();
  // The sweeps run by themselves, every minute.
  const { "outbox-sweep": _outbox, "recovery-sweep": _recovery, ...others } = queues;
  expect(others).toEqual({});
  expect(deadLetters).toEqual({});
  const [stored] = await station.sql<{ events: string; contacts: string; notifications: string }>(
    `select (select count(*) from webhook_events) as events, (select count(*) from contact_submissions) as contacts,
      (select count(*) from notifications) as notifications`,
  );
  expect(stored).toEqual({ events: "0", contacts: "0", notifications: "0" });
  expect(await station.calls()).toEqual([]);
});

describe.each(titled)("%s carries out", (_title, each) => {
  test("a valid request, and not again when its caller repeats it with its key, or uses that for another", async () => {
    const key = { "idempotency-key": randomUUID() };
    const body = bodyOf(each);
    const shown = await each.scheme.genuine(sign, body);
    const before = await received(station);
    const answer = await ask(each, body, () => shown, { headers: key });
    expect(answer.status, answer.text).toBe(each.status);
    if (each.status === 202)
      expect(answer.json()).toEqual({ success: true, id: expect.any(String), correlation_id: expect.any(String) });
    if (each.status === 200 && each.name !== "email-count") expect(answer.json()).toMatchObject({ success: true });

    const after = await received(station);
    for (const [queue, amount] of Object.entries(each.brings))
      expect((after[queue] ?? 0) - (before[queue] ?? 0), queue).toBe(amount);
    const done = await effects(station);

    const again = await ask(each, body, () => shown, { headers: key });
    expect(again.status, again.text).toBe(each.status);
    if (each.status === 202) expect(again.json()).toEqual(answer.json());
    expect(await received(station)).toEqual(after);
    expect(await effects(station)).toEqual(done);

    if (each.method === "GET") return;
    expectProblem(await ask(each, `${body} `, each.scheme.genuine, { headers: key }), 422);
    expect(await effects(station)).toEqual(done);
  });

  const { replayed } = each.scheme;
  if (!replayed) return;
  test(`a request that, replayed by a stranger, ${replayed}`, async () => {
    const body = bodyOf(each);
    const shown = await each.scheme.genuine(sign, body);
    expect((await ask(each, body, () => shown)).status).toBe(each.status);
    const done = await effects(station);
    const replay = await ask(each, body, () => shown);
    if (replayed === "is refused") expectProblem(replay, 401);
    else expect(replay.status, replay.text).toBe(each.status);
    expect(await effects(station)).toEqual(done);
  });
});
