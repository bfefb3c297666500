import { afterEach, expect, test } from "vitest";
import type { Brand } from "../../lambdas/core/station.ts";
import { verifyLink } from "../../lambdas/emails/auth-mails.ts";
import { renderEmail } from "../../lambdas/emails/render.ts";
import {
  type TransactionalMessage,
  type TransactionalName,
  transactionalMessage,
  transactionalTemplates,
} from "../../lambdas/emails/transactional.ts";
import { config } from "../../station.config.ts";

const brand: Brand = {
  name: "Reading Room",
  siteUrl: "https://reading.example.com",
  tagline: "Books & more",
  digestTopic: "Paperbacks",
  postalAddress: "Reading Room, 7 Shelf Lane, Example City",
  colors: { primary: "#2255aa", background: "#f4f4f4", text: "#202020" },
};
const to = "ada@example.com";
const job = { jobTitle: "Librarian", company: "Acme & Sons", jobId: "job-1" };
const link = verifyLink("https://project.supabase.co", {
  tokenHash: "pkce_5e",
  type: "recovery",
  redirectTo: "https://a.example.com/?b=1",
});

/** What a caller must give for each mail, and nothing more. */
const least: Record<TransactionalName, Record<string, unknown>> = {
  "signup-oauth": {},
  "contact-submission-admin": {
    submissionId: "sub-1",
    name: "Bob Beck",
    email: "bob@example.com",
    category: "bug",
    message: "Page one\n\nis torn.",
    submittedAt: "2025-11-17T23:30:00Z",
  },
  "contact-submission-user": { name: "Ada", category: "feature" },
  "job-submitted": job,
  "job-approved": { ...job, plan: "one-time", paymentAmount: 149 },
  "job-rejected": job,
  "job-expiring": { ...job, expiresAt: "2025-11-17T23:30:00+00:00", daysRemaining: 7 },
  "job-expired": { ...job, expiredAt: "2025-11-17" },
  "job-payment-confirmed": {
    ...job,
    jobSlug: "librarian-acme",
    plan: "subscription",
    paymentAmount: 9.5,
    currency: "eur",
    paymentDate: "2025-11-17T23:30:00.123456+00:00",
    expiresAt: "2025-12-17T23:30:00Z",
  },
  "job-posted": { jobTitle: job.jobTitle, company: job.company, jobSlug: "librarian-acme" },
  "collection-shared": {
    collectionName: "Atlases",
    senderName: "Bob Beck",
    collectionSlug: "atlases",
    senderSlug: "bob",
    itemCount: 0,
  },
  "auth-signup": { link },
  "auth-magic-link": { link },
  "auth-recovery": { link },
  "auth-invite": { link },
  "auth-email-change": { link, addressee: "current", newEmail: "lovelace@example.com" },
  "auth-email-otp": { code: "305805", purpose: "reauthentication" },
  "auth-account-changed": { change: "password_changed" },
};

function message(template: TransactionalName, more: Record<string, unknown> = {}): TransactionalMessage {
  return transactionalMessage.parse({ template, to, data: { ...least[template], ...more } });
}

const messages = Object.keys(least).map((template) =>
  transactionalMessage.parse({ template, to, data: least[template as TransactionalName] }),
);

/** Every href of the mail, decoded. */
function linksOf(html: string): string[] {
  return [...html.matchAll(/<a [^>]*?href="([^"]*)"/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&"));
}

const timeZone = process.env.TZ;
afterEach(() => {
  if (timeZone === undefined) delete process.env.TZ;
  else process.env.TZ = timeZone;
});

test("each mail has the subject people know it by, and its sender", async () => {
  const described = await Promise.all(
    messages.map(async (mail) => {
      const { subject } = await renderEmail(mail, brand);
      return [mail.template, transactionalTemplates[mail.template].from, subject];
    }),
  );
  expect(described).toEqual([
    ["signup-oauth", "hello", "Welcome to Reading Room! 🎉"],
    ["contact-submission-admin", "contact", "New Contact: bug - Bob Beck"],
    ["contact-submission-user", "hello", "We received your message!"],
    ["job-submitted", "jobs", "Job Submitted: Librarian"],
    ["job-approved", "jobs", "Job Approved: Librarian"],
    ["job-rejected", "jobs", "Action Required: Update Your Job Posting - Librarian"],
    ["job-expiring", "jobs", "Expiring Soon: Librarian (7 days remaining)"],
    ["job-expired", "jobs", "Job Listing Expired: Librarian"],
    ["job-payment-confirmed", "jobs", "Your Job is Live: Librarian"],
    ["job-posted", "jobs", 'Your job posting "Librarian" is now live!'],
    ["collection-shared", "community", "Bob Beck shared a collection with you"],
    ["auth-signup", "hello", "Confirm your address for Reading Room"],
    ["auth-magic-link", "hello", "Sign in to Reading Room"],
    ["auth-recovery", "hello", "Reset your Reading Room password"],
    ["auth-invite", "hello", "You are invited to Reading Room"],
    ["auth-email-change", "hello", "Confirm the change of your address on Reading Room"],
    ["auth-email-otp", "hello", "Your code for Reading Room"],
    ["auth-account-changed", "hello", "The password was changed on your Reading Room account"],
  ]);
});

test.for(messages)("$template says to whom it went and why, and offers no unsubscribing from it", async (mail) => {
  const { html, text } = await renderEmail(mail, brand);
  for (const part of [html, text]) {
    expect(part).toMatch(/This mail was sent to ada@example\.com because [^.]+\./);
    expect(part).not.toMatch(/unsubscribe|because you subscribed/i);
    expect(part).toContain(brand.postalAddress);
  }
});

test.for(messages)("$template is sensible when all that is optional is missing, or null, or empty", async (mail) => {
  const rendered = await renderEmail(mail, brand);
  for (const part of Object.values(rendered)) {
    expect(part).not.toMatch(/undefined|null|NaN|Invalid Date|\[object/);
  }
  const { shape } = transactionalTemplates[mail.template].data;
  const optional = Object.entries(shape).filter(([, field]) => field.safeParse(null).success);
  const nulls = { ...mail.data, ...Object.fromEntries(optional.map(([name]) => [name, null])) };
  expect(await renderEmail(transactionalMessage.parse({ ...mail, data: nulls }), brand)).toEqual(rendered);
  const texts = optional.filter(([, field]) => field.safeParse("").success);
  const empty = { ...mail.data, ...Object.fromEntries(texts.map(([name]) => [name, " "])) };
  expect(await renderEmail(transactionalMessage.parse({ ...mail, data: empty }), brand)).toEqual(rendered);
});

test.for(messages)("$template cannot be made without any one of the values it needs", (mail) => {
  for (const name of Object.keys(least[mail.template])) {
    if (name === "currency") continue;
    const data = { ...least[mail.template], [name]: undefined };
    const problems = transactionalMessage.safeParse({ ...mail, data }).error?.issues.map(({ path }) => path.join("."));
    expect(problems, name).toEqual([`data.${name}`]);
  }
});

test("links to the site carry the mail's own campaign, no two mails the same, and never the welcome mail's", async () => {
  const contents = new Set<string>();
  for (const mail of messages) {
    const own = linksOf((await renderEmail(mail, brand)).html).filter((href) => href !== link);
    expect(own.length, mail.template).toBeGreaterThanOrEqual(1);
    const campaigns = new Set(
      own.map((href) => {
        const url = new URL(href);
        expect(url.origin).toBe(brand.siteUrl);
        expect([url.searchParams.get("utm_source"), url.searchParams.get("utm_medium")]).toEqual([
          "email",
          "transactional",
        ]);
        return `${url.searchParams.get("utm_campaign")}/${url.searchParams.get("utm_content")}`;
      }),
    );
    expect(campaigns.size).toBe(1);
    for (const campaign of campaigns) contents.add(campaign);
  }
  expect(contents.size).toBe(messages.length);
  expect([...contents].filter((content) => /welcome|null|step_/.test(content))).toEqual([]);
});

test("the same data give the same bytes, whatever the time zone", async () => {
  const rendered: unknown[] = [];
  for (const zone of ["UTC", "Pacific/Auckland", "America/Los_Angeles"]) {
    process.env.TZ = zone;
    rendered.push(await Promise.all(messages.map((mail) => renderEmail(mail, brand))));
  }
  expect(rendered[1]).toEqual(rendered[0]);
  expect(rendered[2]).toEqual(rendered[0]);
});

test("every HTML is an accessible document: language, title, presentation tables, one heading of the first level", async () => {
  for (const mail of messages) {
    const { html, subject, text } = await renderEmail(mail, brand);
    expect(html).toMatch(/^<!DOCTYPE html [^>]+><html dir="ltr" lang="en">/);
    expect(html).toContain(`<title>${subject.replaceAll('"', "&quot;")}</title>`);
    expect(html.match(/<table(?![^>]*role="presentation")/g)).toBeNull();
    expect(html.match(/<h1/g)).toHaveLength(1);
    expect(text).not.toMatch(/[<>{}]|&#|&amp;|!important|\n{3}/);
    expect(Buffer.byteLength(html)).toBeLessThan(20_000);
  }
});

test("whatever a name holds stays one line of the subject, and text in the HTML", async () => {
  const senderName = ' "><script>alert(1)</script>\r\nBcc: eve@example.com\u202e\0\ud800 ';
  const mail = message("collection-shared", { senderName, collectionDescription: "<img src=x>\n\n\n\n<b>two</b>" });
  const { subject, html, text } = await renderEmail(mail, brand);
  expect(subject).toBe('"><script>alert(1)</script> Bcc: eve@example.com \ufffd shared a collection with you');
  expect(html).not.toMatch(/<script|<img|<b>/);
  expect(text).toContain("\n<img src=x>\n\n<b>two</b>\n");
});

test("the message of a visitor keeps its lines, and the confirmation does not repeat it", async () => {
  const admin = await renderEmail(message("contact-submission-admin"), brand);
  expect(admin.html).toContain("Page one<br/><br/>is torn.");
  expect(admin.text).toContain("\nPage one\n\nis torn.\n");
  expect(admin.text).toContain("Address: bob@example.com");
  expect(admin.text).toContain("Received: November 17, 2025, 23:30 UTC");
  expect(linksOf(admin.html)).toContainEqual(expect.stringMatching(/example\.com\/admin\/contact\/sub-1\?/));
  expect(Object.keys(message("contact-submission-user", { message: "Buy this" }).data)).toEqual(["name", "category"]);
});

test.for([
  [0, "Expiring Soon: Librarian (last day)", "ends today"],
  [1, "Expiring Soon: Librarian (1 day remaining)", "ends in 1 day"],
  [14, "Expiring Soon: Librarian (14 days remaining)", "ends in 14 days"],
] as const)("with %d days left a job %s", async ([daysRemaining, subject, title]) => {
  const mail = await renderEmail(message("job-expiring", { daysRemaining }), brand);
  expect(mail.subject).toBe(subject);
  expect(mail.text).toContain(`Your job posting ${title}\n`);
});

test("a price is shown as the caller gave it, in its currency, and not at all when there is none", async () => {
  const textOf = async (template: TransactionalName, more = {}) =>
    (await renderEmail(message(template, more), brand)).text;
  expect(await textOf("job-approved")).toContain("\nPrice: $149\n");
  expect(await textOf("job-approved", { paymentAmount: 0 })).toContain("\nPrice: $0\n");
  expect(await textOf("job-payment-confirmed")).toContain("\nPaid: €9.50 on November 17, 2025\n");
  expect(await textOf("job-expiring", { renewalAmount: 1234.5, currency: "GBP" })).toContain(
    "\nPrice of a renewal: £1,234.50\n",
  );
  expect(await textOf("job-expired", { repostAmount: 80 })).toContain("\nPrice of a new posting: $80\n");
  for (const template of ["job-expiring", "job-expired"] as const) expect(await textOf(template)).not.toMatch(/[$€£]/);
});

test("an ended job shows what it reached, as far as that is known", async () => {
  const reached = async (more: object) =>
    /^It reached: .*$/m.exec((await renderEmail(message("job-expired", { ...more }), brand)).text)?.[0];
  expect(await reached({ viewCount: 1204, clickCount: 1 })).toBe("It reached: 1,204 views and 1 click");
  expect(await reached({ viewCount: 0 })).toBe("It reached: 0 views");
  expect(await reached({})).toBeUndefined();
});

test("a button leads to the given page, and without one to the right page of the site", async () => {
  const last = async (template: TransactionalName, more = {}) =>
    linksOf((await renderEmail(message(template, more), brand)).html).at(-1);
  const checkout = "https://pay.example.org/c?x=1&y=2";
  expect(await last("job-approved", { paymentUrl: checkout })).toBe(checkout);
  expect(await last("job-expiring", { renewalUrl: checkout })).toBe(checkout);
  expect(await last("job-expired", { repostUrl: checkout })).toBe(checkout);
  const sitePath = async (template: TransactionalName, more = {}) =>
    new URL((await last(template, more)) ?? "").pathname;
  expect(await sitePath("job-approved")).toBe("/account/jobs");
  expect(await sitePath("job-rejected", { jobId: "a/../b?c" })).toBe("/account/jobs/a%2F..%2Fb%3Fc/edit");
  expect(await sitePath("job-payment-confirmed")).toBe("/jobs/librarian-acme");
  expect(await sitePath("collection-shared")).toBe("/u/bob/collections/atlases");
  for (const paymentUrl of ["javascript:alert(1)", "http://pay.example.org/", "/account", "data:text/html,x"]) {
    const data = { ...least["job-approved"], paymentUrl };
    expect(transactionalMessage.safeParse({ template: "job-approved", to, data }).success, paymentUrl).toBe(false);
  }
});

test("a reviewer's note is shown when there is one", async () => {
  const { text } = await renderEmail(message("job-rejected", { rejectionReason: "No salary.\nNo place." }), brand);
  expect(text).toContain("This is what our reviewer noted:\n\nNo salary.\nNo place.\n");
  expect((await renderEmail(message("job-rejected"), brand)).text).toContain("left no note");
});

test("the mails that carry a credential say for how long, and no other does", () => {
  const carrying = Object.entries(transactionalTemplates).filter(([, { tokenLifeSeconds }]) => tokenLifeSeconds);
  expect(carrying.map(([name]) => name)).toEqual([
    "auth-signup",
    "auth-magic-link",
    "auth-recovery",
    "auth-invite",
    "auth-email-change",
    "auth-email-otp",
  ]);
  expect(Object.values(transactionalTemplates).every(({ from }) => config.senders[from] !== undefined)).toBe(true);
});
