import { afterEach, expect, test, vi } from "vitest";
import { log, withLogScope } from "../../lambdas/runtime/logger.ts";

vi.stubEnv("POWERTOOLS_LOG_LEVEL", "INFO");
afterEach(() => {
  vi.restoreAllMocks();
});

async function logged(work: () => void): Promise<Record<string, unknown>> {
  const lines: string[] = [];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((line) => lines.push(String(line)) > 0);
  await withLogScope({ correlationId: "c-1" }, async () => work());
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "");
}

test.each([
  "You can only send testing emails to your own email address (ada.l+x@example.com).",
  "Contact <ada.l+x@mail.example.com> not found",
  "GET /contacts/ada.l%40example.com: not found",
])("an address that a vendor quotes is left out of the line: %s", async (reason) => {
  const line = await logged(() => log.warn("provider.failed", { reason, provider: "resend" }));
  expect(line).toMatchObject({ message: "provider.failed", correlationId: "c-1", provider: "resend" });
  expect(line.reason).toMatch(/\[address\]/);
  expect(JSON.stringify(line)).not.toMatch(/ada|example\.com/);
});

test("nor is it in the line about an error, in any of its causes", async () => {
  const error = new Error("The mail was refused", { cause: new Error("ada@example.com is unknown") });
  expect(await logged(() => log.error("message.outcome", error))).toMatchObject({
    errorMessage: "The mail was refused <- [address] is unknown",
  });
});

test("what is no address stays as it is", async () => {
  const facts = {
    url: "https://api.example.com/a",
    at: "file:///node_modules/@aws-sdk/client@3.1.2/index.js",
    amount: 3,
  };
  expect(await logged(() => log.info("provider.called", facts))).toMatchObject(facts);
});
