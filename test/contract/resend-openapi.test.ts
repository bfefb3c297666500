import { describe, expect, it } from "vitest";
import { checkRecording } from "./openapi.ts";

const EXCHANGE = {
  vendor: "resend",
  method: "POST",
  url: "https://api.resend.com/emails",
  headers: {},
  body: { from: "a@example.com", to: ["b@example.com"], subject: "S", html: "x" },
  status: 200,
  response: { id: "e-1" },
};
const { skipped } = checkRecording([]);
if (skipped) process.stderr.write(`OpenAPI check skipped: ${skipped}\n`);

describe.runIf(skipped === null)("the OpenAPI check", () => {
  it("passes what Resend publishes, given as lines or as objects", () => {
    expect(checkRecording([EXCHANGE, JSON.stringify(EXCHANGE)])).toEqual({ checked: 2, findings: [], skipped: null });
  });

  it.each([
    [{ body: { ...EXCHANGE.body, subject: undefined } }, "required property 'subject'"],
    [{ body: { ...EXCHANGE.body, replyTo: "c@example.com" } }, "request /replyTo is not in the spec"],
    [{ body: { ...EXCHANGE.body, to: [7] } }, "request /to"],
    [{ body: { ...EXCHANGE.body, tags: [{ name: "a", valeu: "b" }] } }, "request /tags/0/valeu is not in the spec"],
    [{ response: { id: 7 } }, "response /id"],
    [{ response: { id: "e-1", extra: true } }, "response /extra is not in the spec"],
    [{ status: 201 }, "status 201, published 200"],
    [{ url: "https://api.resend.com/mails" }, "no such operation"],
    [{ method: "PUT" }, "no such operation"],
    [
      { method: "GET", url: "https://api.resend.com/emails?page=2", body: null, response: { data: [] } },
      "query ?page unknown",
    ],
    [{ url: "https://api.resend.example/emails" }, "not under"],
  ])("finds what does not fit: %j", (change, finding) => {
    expect(checkRecording([{ ...EXCHANGE, ...change }]).findings.join("\n")).toContain(finding);
  });

  it("passes over other vendors and over refused requests", () => {
    const refused = { ...EXCHANGE, body: {}, status: 422, response: { name: "missing_required_field" } };
    expect(checkRecording([{ ...EXCHANGE, vendor: "heartbeat", body: {} }, refused])).toMatchObject({
      checked: 1,
      findings: [],
    });
  });
});
