import { expect, test } from "vitest";
import { addressOfSender } from "../../lambdas/core/email-address.ts";
import { contracts } from "../../lambdas/core/messages.ts";
import { transactionalMail } from "../../lambdas/runtime/transactional-mail.ts";
import { config } from "../../station.config.ts";

const { brand, senders } = config;
const contact = {
  submissionId: "sub-1",
  name: "Bob Beck",
  email: "bob@example.com",
  category: "bug",
  message: "Page one is torn.",
  submittedAt: "2025-11-17T23:30:00Z",
} as const;

const make = (message: unknown) => {
  const { ledgerKey, ...mail } = contracts.email.parse(message);
  return transactionalMail(mail, ledgerKey, { brand, senders });
};

test("a contact mail to the team is answered to the visitor, the visitor's own to the team", async () => {
  const toTeam = await make({
    template: "contact-submission-admin",
    to: addressOfSender(`The Team <${addressOfSender(senders.team)}>`),
    data: contact,
    ledgerKey: "contact/sub-1/admin",
  });
  expect(toTeam).toMatchObject({ from: senders.contact, to: "team@example.com", replyTo: "bob@example.com" });
  const toVisitor = await make({
    template: "contact-submission-user",
    to: "Bob@Example.com",
    data: { name: "Bob Beck", category: "bug" },
    ledgerKey: "contact/sub-1/user",
  });
  expect(toVisitor).toMatchObject({ from: senders.hello, to: "bob@example.com", replyTo: senders.team });
});

test("a mail carries its kind and its ledger key's hash, and can be made again to the byte", async () => {
  const message = {
    template: "job-posted",
    to: "ada@example.com",
    data: { jobTitle: "Librarian", company: "Acme", jobSlug: "librarian" },
    ledgerKey: "job/1/job-posted",
  };
  const mail = await make(message);
  expect(mail.tags).toEqual([
    { name: "type", value: "job-posted" },
    { name: "ledger", value: expect.stringMatching(/^[0-9a-f]{64}$/) },
  ]);
  expect(mail).not.toHaveProperty("replyTo");
  expect(mail.headers).toEqual({});
  expect(JSON.stringify(await make(message))).toBe(JSON.stringify(mail));
});

test("a message without a ledger key, or with another template's data, breaks the contract", () => {
  const whole = { template: "auth-email-otp", to: "a@example.com", data: { code: "123456", purpose: "sign-in" } };
  expect(contracts.email.safeParse({ ...whole, ledgerKey: "auth/1" }).success).toBe(true);
  expect(contracts.email.safeParse(whole).success).toBe(false);
  expect(contracts.email.safeParse({ ...whole, data: { name: "x" }, ledgerKey: "auth/1" }).success).toBe(false);
});

test("the address of a sender is what stands in its brackets, or all of it", () => {
  expect(addressOfSender("Team <team@example.com>")).toBe("team@example.com");
  expect(addressOfSender("team@example.com")).toBe("team@example.com");
});
