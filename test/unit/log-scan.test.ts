import { describe, expect, test } from "vitest";
import { refuseLeaks, scanLog, secretsIn, sentencesOf } from "../flows/log-scan.ts";

const sentence = "Here is what was new in the directory this week.";
const credentials = {
  internalSecret: "an-internal-secret",
  discordJobsWebhook: "1200000000000000001/the-webhooks-token",
  authHookSecret: "v1,whsec_c2VjcmV0LW9mLXRoZS1ob29r",
  userSigningKey: JSON.stringify({ kty: "EC", d: "private-part-of-a-key" }),
  webhookSecrets: { polar: "polar_whs_secret" },
};
const scan = (...lines: string[]) =>
  scanLog(lines.map((line) => `${line}\n`).join(""), { secrets: secretsIn(credentials), sentences: [sentence] });
const line = (message: string, fields: Record<string, unknown> = {}) =>
  JSON.stringify({ level: "INFO", message, ...fields });

describe("a line of the log is refused", () => {
  test.each([
    ["e-mail address", line("a", { errorMessage: "no mail to ada.example+x@mail.example.com" }), "ada.example"],
    ["e-mail address", line("a", { url: "/contacts/ada%40example.com" }), "ada%40"],
    ["credential", line("a", { errorMessage: "x-internal-secret: an-internal-secret" }), "an-internal-secret"],
    ["credential", line("a", { url: "/webhooks/1/the-webhooks-token" }), "the-webhooks-token"],
    ["credential", line("a", { key: "c2VjcmV0LW9mLXRoZS1ob29r" }), "c2VjcmV0"],
    ["credential", line("a", { key: "private-part-of-a-key" }), "private-part"],
    ["credential", "polar_whs_secret, outside of any JSON", "polar_whs"],
    ["token", line("a", { authorization: "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmVk" }), "eyJ"],
    [
      "unsubscribe token",
      line("a", { link: `token=11111111-1111-4111-8111-111111111111.${"s".repeat(43)}` }),
      "11111111",
    ],
    ["markup", line("a", { answer: "<html><p>Hello</p></html>" }), "<html"],
    ["mail", line("a", { note: sentence }), "what was new"],
    ["body", line("a", { request: { body: '{"hello":"world"}' } }), "hello"],
    ["body", line("a", { event: { Records: [{ eventSource: "sqs" }] } }), "eventSource"],
  ])("for its %s: %s", (rule, logged, secret) => {
    const { leaks } = scan(line("first"), logged);
    expect(leaks).toContainEqual({ rule, lineNumber: 2, redacted: expect.stringContaining("█████") });
    const report = () => refuseLeaks({ leaks, lines: 2, codes: new Set() });
    expect(report).toThrow(`line 2: ${rule}`);
    expect(report).not.toThrow(secret);
  });

  test("and all of a log's are counted", () => {
    const { leaks, lines } = scan(line("a", { who: "a@example.com" }), line("b", { who: "b@example.com" }));
    expect([leaks.length, lines]).toEqual([2, 2]);
  });
});

test("what the functions log of their work passes", () => {
  const { leaks, codes, lines } = scan(
    line("rpc.called", { rpc_name: "f", args: { p_email: "string", body: "string", payload: "array of 12" } }),
    line("mail.accepted", { ledgerKey: "welcome/11111111-1111-4111-8111-111111111111" }),
    "START RequestId: 11111111-1111-4111-8111-111111111111 at file:///node_modules/@aws-sdk/client-sqs@3.1.2/index.js",
  );
  expect(leaks).toEqual([]);
  expect(lines).toBe(3);
  expect([...codes]).toEqual(["rpc.called", "mail.accepted"]);
});

test("sentences are the lines of mails that nothing else would say", () => {
  expect(sentencesOf([`Hello\n\n  ${sentence}\nhttps://example.com/${"long".repeat(20)}`, sentence])).toEqual([
    sentence,
  ]);
});
