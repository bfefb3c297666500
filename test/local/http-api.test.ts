import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import type { Resource } from "../../local/assembly/resolve-resources.ts";
import { type HttpApi, type HttpApiOptions, startHttpApi } from "../../local/aws/http-api.ts";
import { httpApiKind, httpIntegrationKind, httpRouteKind, httpStageKind } from "../../local/aws/http-api-kinds.ts";
import type { InvokeOutcome } from "../../local/aws/lambda/invoke.ts";

const FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:web";
const NOW = Date.UTC(2026, 10, 2, 9, 30, 5);

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Setup {
  routes?: string[];
  cors?: Record<string, unknown>;
  throttle?: { burst: number; ratePerSecond: number };
  timeoutMs?: number;
  reply?: (event: Event) => InvokeOutcome | Promise<InvokeOutcome>;
}

interface Event {
  routeKey: string;
  rawPath: string;
  pathParameters?: Record<string, string>;
  requestContext: { http: { sourceIp: string } };
  body?: string;
}

function options({ routes = ["$default"], cors, throttle, timeoutMs, reply }: Setup, events: Event[]): HttpApiOptions {
  const resource = <P>(logicalId: string, properties: P): Resource<P> => ({ logicalId, name: logicalId, properties });
  return {
    api: resource(
      "Api",
      httpApiKind.properties.parse({ Name: "station", ProtocolType: "HTTP", CorsConfiguration: cors }),
    ),
    routes: routes.map((RouteKey, index) =>
      resource(`Route${index}`, httpRouteKind.properties.parse({ ApiId: "Api", RouteKey, Target: "integrations/Web" })),
    ),
    integrations: [
      resource(
        "Web",
        httpIntegrationKind.properties.parse({
          ApiId: "Api",
          IntegrationType: "AWS_PROXY",
          IntegrationUri: FUNCTION_ARN,
          PayloadFormatVersion: "2.0",
          TimeoutInMillis: timeoutMs,
        }),
      ),
    ],
    stage: resource(
      "Stage",
      httpStageKind.properties.parse({
        ApiId: "Api",
        StageName: "$default",
        AutoDeploy: true,
        DefaultRouteSettings: throttle && {
          ThrottlingBurstLimit: throttle.burst,
          ThrottlingRateLimit: throttle.ratePerSecond,
        },
      }),
    ),
    invoke: async (functionArn, payload) => {
      expect(functionArn).toBe(FUNCTION_ARN);
      const event = payload as Event;
      events.push(event);
      return reply === undefined ? { ok: true, payload: { statusCode: 202 } } : reply(event);
    },
    now: () => NOW,
  };
}

async function start(setup: Setup = {}): Promise<{ api: HttpApi; events: Event[] }> {
  const events: Event[] = [];
  const api = await startHttpApi(options(setup, events));
  cleanups.push(api.close);
  return { api, events };
}

describe("the event", () => {
  it("has the shape of payload format 2.0", async () => {
    const { api, events } = await start({ routes: ["POST /contacts/{id}/topics"] });
    await fetch(`${api.url}/contacts/a%20b/topics?tag=x&tag=y%20z&empty=`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Cookie: "a=1; b=2", "X-Trace": "t", "user-agent": "vitest" },
      body: '{"email":"ü@example.com"}',
    });
    const host = new URL(api.url).host;
    expect(events[0]).toEqual({
      version: "2.0",
      routeKey: "POST /contacts/{id}/topics",
      rawPath: "/contacts/a%20b/topics",
      rawQueryString: "tag=x&tag=y%20z&empty=",
      cookies: ["a=1", "b=2"],
      headers: expect.objectContaining({
        "content-type": "application/json",
        "content-length": "26",
        host,
        "x-trace": "t",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
      }),
      queryStringParameters: { tag: "x,y z", empty: "" },
      requestContext: {
        accountId: "000000000000",
        apiId: "Api",
        domainName: host,
        domainPrefix: "127",
        http: {
          method: "POST",
          path: "/contacts/a%20b/topics",
          protocol: "HTTP/1.1",
          sourceIp: "127.0.0.1",
          userAgent: "vitest",
        },
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        routeKey: "POST /contacts/{id}/topics",
        stage: "$default",
        time: "02/Nov/2026:09:30:05 +0000",
        timeEpoch: NOW,
      },
      pathParameters: { id: "a b" },
      body: '{"email":"ü@example.com"}',
      isBase64Encoded: false,
    });
    expect(events[0]).not.toHaveProperty("headers.cookie");
    expect(events[0]).not.toHaveProperty("headers.connection");
  });

  it("leaves out what the request does not have", async () => {
    const { api, events } = await start();
    await fetch(`${api.url}/`);
    for (const absent of ["cookies", "queryStringParameters", "pathParameters", "body"]) {
      expect(events[0]).not.toHaveProperty(absent);
    }
    expect(events[0]).toMatchObject({ rawPath: "/", rawQueryString: "", isBase64Encoded: false });
  });

  it.each([
    ["application/json", false],
    ["application/json; charset=utf-8", false],
    ["text/csv", false],
    ["application/xml", false],
    ["application/x-www-form-urlencoded", true],
    ["application/octet-stream", true],
    ["application/jsonish", true],
    [undefined, true],
  ])("holds a body of type %s in base64: %s", async (contentType, isBase64Encoded) => {
    const { api, events } = await start();
    const body = Buffer.from("a=1");
    await fetch(api.url, { method: "POST", body, ...(contentType && { headers: { "content-type": contentType } }) });
    expect(events[0]).toMatchObject({ body: isBase64Encoded ? "YT0x" : "a=1", isBase64Encoded });
  });

  it("joins the values of a repeated header, and takes the client from the socket alone", async () => {
    const { api, events } = await start();
    await new Promise<void>((resolve, reject) => {
      request(api.url, {
        localAddress: "127.4.5.6",
        headers: { "X-Tag": ["a", "b"], "X-Forwarded-For": "203.0.113.9" },
      })
        .on("response", (response) => response.resume().on("end", resolve))
        .on("error", reject)
        .end();
    });
    expect(events[0]).toMatchObject({
      headers: { "x-tag": "a,b", "x-forwarded-for": "203.0.113.9, 127.4.5.6" },
      requestContext: { http: { sourceIp: "127.4.5.6" } },
    });
  });
});

describe("the response", () => {
  const respond = async (payload: unknown) => {
    const { api } = await start({ reply: () => ({ ok: true, payload }) });
    return fetch(api.url);
  };

  it("is 200 with the whole answer in JSON when it has no statusCode", async () => {
    const response = await respond({ count: 3 });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(await response.json()).toEqual({ count: 3 });
    expect(await (await respond("plain")).text()).toBe("plain");
    expect(await (await respond(null)).text()).toBe("null");
  });

  it("is what the function says when it has one", async () => {
    const response = await respond({
      statusCode: 201,
      headers: { "X-Count": 3, Connection: "close", "Content-Type": "text/html" },
      cookies: ["a=1; HttpOnly", "b=2"],
      body: "<p>ü</p>",
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("x-count")).toBe("3");
    expect(response.headers.get("content-type")).toBe("text/html");
    expect(response.headers.getSetCookie()).toEqual(["a=1; HttpOnly", "b=2"]);
    expect(response.headers.get("connection")).not.toBe("close");
    expect(response.headers.get("apigw-requestid")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await response.text()).toBe("<p>ü</p>");
  });

  it("is text when an explicit response names no type, and bytes when it is base64", async () => {
    const response = await respond({ statusCode: 200, body: "AP8=", isBase64Encoded: true });
    expect(response.headers.get("content-type")).toBe("text/plain;charset=UTF-8");
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from([0, 255]));
  });

  it.each([
    ["a status that is none", { statusCode: "ok" }],
    ["an informational status", { statusCode: 100 }],
    ["a body that is not text", { statusCode: 200, body: { a: 1 } }],
    ["a header that cannot be sent", { statusCode: 200, headers: { "x-a": "line\nbreak" } }],
  ])("is 500 for %s", async (_case, payload) => {
    const response = await respond(payload);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ message: "Internal Server Error" });
  });

  it("is 500 when the function fails, 503 when it is slower than the integration allows", async () => {
    const failing = await start({ reply: () => ({ ok: false, errorType: "E", errorMessage: "secret" }) });
    const failed = await fetch(failing.api.url);
    expect([failed.status, await failed.json()]).toEqual([500, { message: "Internal Server Error" }]);
    const slow = await start({ timeoutMs: 50, reply: () => new Promise(() => {}) });
    const late = await fetch(slow.api.url);
    expect([late.status, await late.json()]).toEqual([503, { message: "Service Unavailable" }]);
  });
});

describe("the choice of a route", () => {
  const routes = [
    "$default",
    "ANY /{proxy+}",
    "GET /email/{id}",
    "ANY /email/count",
    "GET /email/count",
    "POST /email/{proxy+}",
    "GET /email/{id}/topics",
  ];

  it.each([
    ["GET", "/email/count", "GET /email/count", undefined],
    ["POST", "/email/count", "ANY /email/count", undefined],
    ["GET", "/email/7", "GET /email/{id}", { id: "7" }],
    ["POST", "/email/7", "POST /email/{proxy+}", { proxy: "7" }],
    ["POST", "/email/7/topics", "POST /email/{proxy+}", { proxy: "7/topics" }],
    ["GET", "/email/7/topics", "GET /email/{id}/topics", { id: "7" }],
    ["DELETE", "/email/7", "ANY /{proxy+}", { proxy: "email/7" }],
    ["GET", "/", "$default", undefined],
  ])("sends %s %s to %s", async (method, path, routeKey, pathParameters) => {
    const { api, events } = await start({ routes });
    await fetch(`${api.url}${path}`, { method });
    expect(events[0]?.routeKey).toBe(routeKey);
    expect(events[0]?.pathParameters).toEqual(pathParameters);
  });

  it("does not take a path with a slash at the end, or another method, for the route", async () => {
    const { api, events } = await start({ routes: ["GET /health"] });
    for (const [method, path] of [
      ["GET", "/health/"],
      ["POST", "/health"],
      ["GET", "/"],
    ] as const) {
      const response = await fetch(`${api.url}${path}`, { method });
      expect([response.status, await response.json()]).toEqual([404, { message: "Not Found" }]);
    }
    expect(events).toEqual([]);
  });
});

describe("the limits", () => {
  it("takes a body of 10 MB and answers 413 to a byte more, without calling the function", async () => {
    const { api, events } = await start();
    const send = (bytes: number) =>
      fetch(api.url, { method: "POST", headers: { "content-type": "text/plain" }, body: "x".repeat(bytes) });
    expect((await send(10 * 1024 * 1024)).status).toBe(202);
    expect(events[0]?.body?.length).toBe(10 * 1024 * 1024);
    const refused = await send(10 * 1024 * 1024 + 1);
    expect([refused.status, await refused.json()]).toEqual([413, { message: "Request Entity Too Large" }]);
    expect(events).toHaveLength(1);
  });

  it("answers 431 to more than 10 KB of request line and headers", async () => {
    const { api, events } = await start();
    expect((await fetch(api.url, { headers: { "x-long": "x".repeat(9000) } })).status).toBe(202);
    expect((await fetch(api.url, { headers: { "x-long": "x".repeat(10_240) } })).status).toBe(431);
    expect(events).toHaveLength(1);
  });

  it("answers 429 beyond the stage's burst", async () => {
    const { api } = await start({ throttle: { burst: 2, ratePerSecond: 1 } });
    const statuses: number[] = [];
    for (let call = 0; call < 3; call += 1) statuses.push((await fetch(api.url)).status);
    expect(statuses).toEqual([202, 202, 429]);
  });
});

describe("CORS", () => {
  const cors = {
    AllowOrigins: ["https://www.example.com", "http://*"],
    AllowMethods: ["GET", "POST"],
    AllowHeaders: ["content-type"],
    ExposeHeaders: ["retry-after"],
    AllowCredentials: true,
    MaxAge: 600,
  };
  const preflight = (api: HttpApi, origin: string) =>
    fetch(api.url, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });

  it("is answered by the gateway when a browser asks first", async () => {
    const { api, events } = await start({ cors, routes: ["ANY /"] });
    const allowed = await preflight(api, "https://www.example.com");
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      "access-control-allow-origin": "https://www.example.com",
      "access-control-allow-methods": "GET,POST",
      "access-control-allow-headers": "content-type",
      "access-control-allow-credentials": "true",
      "access-control-max-age": "600",
    });
    const refused = await preflight(api, "https://evil.example.com");
    expect(refused.status).toBe(204);
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
    expect(events).toEqual([]);
  });

  it("is added to every response, in place of what the function set", async () => {
    const { api } = await start({
      cors,
      routes: ["GET /"],
      reply: () => ({ ok: true, payload: { statusCode: 200, headers: { "Access-Control-Allow-Origin": "*" } } }),
    });
    const get = async (path: string, origin: string) =>
      (await fetch(`${api.url}${path}`, { headers: { origin } })).headers;
    expect((await get("/", "http://localhost:3000")).get("access-control-allow-origin")).toBe("http://localhost:3000");
    expect((await get("/", "http://localhost:3000")).get("access-control-expose-headers")).toBe("retry-after");
    expect((await get("/absent", "https://www.example.com")).get("access-control-allow-credentials")).toBe("true");
    expect((await get("/", "https://evil.example.com")).get("access-control-allow-origin")).toBeNull();
  });

  it("is the function's own matter when the API has none", async () => {
    const { api, events } = await start({
      reply: () => ({ ok: true, payload: { statusCode: 204, headers: { "Access-Control-Allow-Origin": "*" } } }),
    });
    const response = await preflight(api, "https://www.example.com");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(events).toHaveLength(1);
  });

  it("refuses credentials for every origin", () => {
    const parsed = httpApiKind.properties.safeParse({
      Name: "station",
      ProtocolType: "HTTP",
      CorsConfiguration: { AllowOrigins: ["*"], AllowCredentials: true },
    });
    expect(parsed.error?.issues[0]?.message).toContain("needs named origins");
  });
});

describe("starting and closing", () => {
  it("names a taken port and how to choose another", async () => {
    const { api } = await start();
    const port = Number(new URL(api.url).port);
    await expect(startHttpApi({ ...options({}, []), port })).rejects.toThrow(
      `Port ${port} is taken. Choose another for the API: npm start -- --port N`,
    );
  });

  it("refuses a route without an integration, and a route that is there twice", async () => {
    await expect(startHttpApi({ ...options({}, []), integrations: [] })).rejects.toThrow(
      "Route Route0 points to integrations/Web",
    );
    await expect(startHttpApi(options({ routes: ["GET /a", "GET /a"] }, []))).rejects.toThrow(
      "GET /a is defined twice",
    );
  });

  it("closes at once although a request is under way", async () => {
    const called = Promise.withResolvers<void>();
    const { api } = await start({
      reply: () => {
        called.resolve();
        return new Promise(() => {});
      },
    });
    const pending = fetch(api.url).then(
      () => "answered",
      () => "cut",
    );
    await called.promise;
    await api.close();
    expect(await pending).toBe("cut");
  });
});
