import { expect, test } from "vitest";
import type { Brand } from "../../lambdas/core/station.ts";
import { type AuthHookEvent, authHookEvent, authMails, verifyLink } from "../../lambdas/emails/auth-mails.ts";
import { accountChange } from "../../lambdas/emails/data/auth.ts";
import { renderEmail } from "../../lambdas/emails/render.ts";
import { type TransactionalMessage, transactionalMessage } from "../../lambdas/emails/transactional.ts";

const brand: Brand = {
  name: "Reading Room",
  siteUrl: "https://reading.example.com",
  tagline: "Books & more",
  digestTopic: "Paperbacks",
  postalAddress: "Reading Room, 7 Shelf Lane, Example City",
  colors: { primary: "#2255aa", background: "#f4f4f4", text: "#202020" },
};
const supabaseUrl = "https://project.supabase.co";
const to = "ada@example.com";
/** Every href of the mail, decoded. */
function linksOf(html: string): string[] {
  return [...html.matchAll(/<a [^>]*?href="([^"]*)"/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&"));
}

const event: AuthHookEvent = authHookEvent.parse({
  user: { id: "8484b834-f29e-4af2-bf42-80644d154f76", email: to, aud: "authenticated" },
  email_data: {
    token: "305805",
    token_hash: "hash1",
    redirect_to: "https://reading.example.com/after?tab=1&x=2",
    email_action_type: "signup",
    site_url: "http://localhost:9999",
    token_new: "",
    token_hash_new: "",
  },
});

function authEvent(data: Partial<AuthHookEvent["email_data"]>, user: Partial<AuthHookEvent["user"]> = {}) {
  return { user: { ...event.user, ...user }, email_data: { ...event.email_data, ...data } };
}

const hashOf = (mail: TransactionalMessage) =>
  "link" in mail.data ? new URL(mail.data.link).searchParams.get("token") : null;

test.for([
  ["signup", "auth-signup"],
  ["magiclink", "auth-magic-link"],
  ["recovery", "auth-recovery"],
  ["invite", "auth-invite"],
] as const)("the auth action %s becomes one mail with a link to verify it", async ([action, template]) => {
  const [mail, ...rest] = authMails(authEvent({ email_action_type: action }), supabaseUrl);
  expect(rest).toEqual([]);
  expect(mail).toMatchObject({ template, to, data: { code: "305805" } });
  if (mail === undefined) throw new Error("No mail");
  const verify = `https://project.supabase.co/auth/v1/verify?token=hash1&type=${action}&redirect_to=${encodeURIComponent("https://reading.example.com/after?tab=1&x=2")}`;
  const { html, text, subject } = await renderEmail(transactionalMessage.parse(mail), brand);
  expect(linksOf(html)).toContain(verify);
  expect(text).toContain(`\n${verify}\n`);
  expect(text).toContain("\n305805\n");
  const preview = /data-skip-in-text="true">([^<]*)</.exec(html)?.[1];
  expect(`${subject} ${preview}`).not.toMatch(/305805|hash1/);
});

test("without a place to go to, the link leaves it to Supabase", () => {
  const bare = "https://project.supabase.co/auth/v1/verify?token=a%26b&type=signup";
  expect(verifyLink(supabaseUrl, { tokenHash: "a&b", type: "signup", redirectTo: "" })).toBe(bare);
  expect(verifyLink(supabaseUrl, { tokenHash: "a&b", type: "signup" })).toBe(bare);
});

test.for(["email", "reauthentication"])(
  "the auth action %s becomes a mail with the code, and no link",
  async (action) => {
    const [mail] = authMails(authEvent({ email_action_type: action }), supabaseUrl);
    if (mail === undefined) throw new Error("No mail");
    const { html, text, subject } = await renderEmail(transactionalMessage.parse(mail), brand);
    expect(text).toContain("\n305805\n");
    expect(html).not.toContain("/verify");
    expect(`${subject} ${/data-skip-in-text="true">([^<]*)</.exec(html)?.[1]}`).not.toContain("305805");
  },
);

test("a secure change of address is confirmed at both addresses, each with its own token although Supabase crosses the names", async () => {
  const mails = authMails(
    authEvent(
      { email_action_type: "email_change", token: "111111", token_new: "222222", token_hash_new: "hash2" },
      { new_email: "lovelace@example.com" },
    ),
    supabaseUrl,
  );
  const summary = mails.map((mail) => [mail.to, hashOf(mail), "code" in mail.data ? mail.data.code : null]);
  expect(summary).toEqual([
    ["lovelace@example.com", "hash1", "222222"],
    [to, "hash2", "111111"],
  ]);
  for (const mail of mails) {
    expect("link" in mail.data ? new URL(mail.data.link).searchParams.get("type") : null).toBe("email_change");
  }
  const [forNew, forCurrent] = await Promise.all(mails.map((mail) => renderEmail(mail, brand)));
  expect(forNew?.subject).toBe("Confirm your new address for Reading Room");
  expect(forNew?.text).not.toContain(to);
  expect(forCurrent?.text).toContain("Your account is to use lovelace@example.com instead of this address.");
});

test("a change of address that only the new one confirms is one mail to the new one", () => {
  for (const [token, tokenNew] of [
    ["111111", ""],
    ["", "111111"],
  ]) {
    const mails = authMails(
      authEvent({ email_action_type: "email_change", token, token_new: tokenNew }, { new_email: "new@example.com" }),
      supabaseUrl,
    );
    expect(mails).toMatchObject([
      { to: "new@example.com", data: { addressee: "new", code: "111111", newEmail: "new@example.com" } },
    ]);
    expect(mails.map(hashOf)).toEqual(["hash1"]);
  }
});

test("each notice of a changed account is sent, a changed address to the one it had before", async () => {
  for (const change of accountChange.options) {
    const [mail, ...rest] = authMails(
      authEvent({
        email_action_type: `${change}_notification`,
        token: "",
        token_hash: "",
        old_email: change === "email_changed" ? "old@example.com" : "",
        provider: "github",
        factor_type: "totp",
      }),
      supabaseUrl,
    );
    expect(rest).toEqual([]);
    expect(mail).toMatchObject({
      template: "auth-account-changed",
      to: change === "email_changed" ? "old@example.com" : to,
    });
    if (mail === undefined) throw new Error("No mail");
    const { text } = await renderEmail(transactionalMessage.parse(mail), brand);
    if (change === "email_changed") expect(text).toContain(`New address: ${to}`);
    if (change.startsWith("identity_")) expect(text).toContain("Way to sign in: github");
    if (change.startsWith("mfa_")) expect(text).toContain("Factor: totp");
  }
});

test("an auth event of a type nobody knows, without an address or without its token is no mail", () => {
  expect(authMails(authEvent({ email_action_type: "toString" }), supabaseUrl)).toEqual([]);
  expect(authMails(authEvent({ email_action_type: "something_new" }), supabaseUrl)).toEqual([]);
  expect(authMails(authEvent({}, { email: "" }), supabaseUrl)).toEqual([]);
  expect(authMails(authEvent({ token_hash: "" }), supabaseUrl)).toEqual([]);
  expect(authMails(authEvent({ email_action_type: "reauthentication", token: "" }), supabaseUrl)).toEqual([]);
});
