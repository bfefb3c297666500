import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { generatedDir, generatedDocs } from "../../docs/generate/generated-docs.ts";
import { type RouteRecord, routes } from "../../registry/routes.ts";

let docs: Record<string, string>;
beforeAll(async () => {
  docs = await generatedDocs();
});

it("are what the registry says today: `npm run docs` writes them again", async () => {
  expect((await readdir(generatedDir)).sort()).toEqual(Object.keys(docs).sort());
  for (const [name, text] of Object.entries(docs))
    expect(await readFile(join(generatedDir, name), "utf8"), name).toBe(text);
});

describe("the OpenAPI document", () => {
  const schema = z.record(z.string(), z.unknown());
  const content = z.record(z.string(), z.object({ schema }));
  const operation = z.object({
    operationId: z.string(),
    security: z.array(z.record(z.string(), z.array(z.string()))),
    requestBody: z.object({ required: z.boolean(), content }).optional(),
    responses: z.record(
      z.string(),
      z.union([z.object({ $ref: z.string() }), z.object({ description: z.string(), content })]),
    ),
  });
  const openApiShape = z.object({
    openapi: z.literal("3.1.0"),
    paths: z.record(z.string(), z.record(z.string(), operation)),
    components: z.object({
      schemas: z.record(z.string(), schema),
      securitySchemes: z.record(z.string(), z.unknown()),
      responses: z.record(z.string(), z.object({ content })),
    }),
  });
  const openApi = () => openApiShape.parse(JSON.parse(docs["openapi.json"] ?? ""));
  const operations = () =>
    Object.entries(openApi().paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => ({ path, method: method.toUpperCase(), ...described })),
    );
  const accepts = (path: string) => {
    const body = operations().find((each) => each.path === path && each.method === "POST")?.requestBody;
    const ajv = new Ajv2020({ strict: false, formats: { email: /.@./, "date-time": true, uri: true } });
    return ajv.compile(body?.content["application/json"]?.schema ?? false);
  };

  it("has every path and method of the registry with the scheme its callers need", () => {
    const shown: Record<RouteRecord["auth"]["scheme"], (auth: RouteRecord["auth"]) => string[][]> = {
      public: () => [],
      "internal-secret": () => [["internal-secret"]],
      "user-jwt": () => [["user-jwt"]],
      "internal-secret-and-user": () => [["internal-secret", "user-jwt"]],
      "auth-hook-or-internal-secret": () => [["auth-hook"], ["internal-secret"]],
      captcha: () => [["captcha"], ["internal-secret"]],
      "database-hmac": () => [["database-hmac"]],
      "signed-link": () => [["signed-link"]],
      "vendor-signature": (auth) => ("vendors" in auth ? auth.vendors.map((vendor) => [vendor]) : []),
    };
    const wanted = Object.values<RouteRecord>(routes).flatMap(({ path, methods, auth }) =>
      methods.map((method) => [
        method,
        path === "$default" ? "/{anyOther}" : path,
        shown[auth.scheme](auth).map((schemes) => Object.fromEntries(schemes.map((scheme) => [scheme, []]))),
      ]),
    );
    expect(operations().map(({ method, path, security }) => [method, path, security])).toEqual(wanted);
    const defined = Object.keys(openApi().components.securitySchemes);
    for (const { security } of operations())
      for (const scheme of security.flatMap(Object.keys)) expect(defined).toContain(scheme);
  });

  it("says of each operation how it answers well and how it refuses, and refers to nothing that is not there", () => {
    const { responses } = openApi().components;
    for (const { operationId, responses: answers } of operations()) {
      const statuses = Object.keys(answers);
      expect(
        statuses.some((status) => status.startsWith("2")),
        operationId,
      ).toBe(true);
      expect(statuses, operationId).toEqual(expect.arrayContaining(["413", "429", "500", "503"]));
    }
    for (const [, reference] of (docs["openapi.json"] ?? "").matchAll(/"\$ref": "([^"]+)"/g)) {
      const known = [
        ...Object.keys(responses).map((name) => `#/components/responses/${name}`),
        "#/components/schemas/Problem",
      ];
      expect(known).toContain(reference);
    }
  });

  it("has one id per operation", () => {
    const ids = operations().map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("takes the subscription that the route takes, and refuses what the route refuses", () => {
    const valid = accepts("/email/subscribe");
    expect(valid({ email: "Ada@Example.com", source: "footer", referrer: null })).toBe(true);
    expect(valid({ source: "footer" })).toBe(false);
    expect(valid({ email: "ada@example.com", source: "x".repeat(101) })).toBe(false);
  });

  it("takes one interaction or many", () => {
    const valid = accepts("/pulse");
    const one = { interaction_type: "view", content_type: "mcp", content_slug: "a", metadata: { deep: [{ a: 1 }] } };
    expect(valid(one)).toBe(true);
    expect(valid([one, one])).toBe(true);
    expect(valid([{ ...one, interaction_type: undefined }])).toBe(false);
  });
});

it("the flow map names every route, queue, workflow, schedule and provider, and its picture has no loose ends", () => {
  const map = docs["flow-map.md"] ?? "";
  const picture = /```mermaid\n([\s\S]*?)```/.exec(map)?.[1] ?? "";
  const declared = new Set([...picture.matchAll(/^\s+(\w+)[[({]/gm)].map(([, id]) => id));
  const ends = [...picture.matchAll(/^ {2}(\w+) (?:-- \w+ )?--> (\w+)$/gm)].flatMap(([, from, to]) => [from, to]);
  expect(ends.length).toBeGreaterThan(0);
  expect([...new Set(ends)].filter((id) => !declared.has(id))).toEqual([]);
  for (const { path } of Object.values(routes)) expect(map).toContain(`\`${path}\``);
});
