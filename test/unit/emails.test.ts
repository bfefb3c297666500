import { expect, test } from "vitest";
import type { Brand } from "../../lambdas/core/station.ts";
import { type EmailMessage, onboardingTemplateOfStep, renderEmail } from "../../lambdas/emails/render.ts";
import type { Digest } from "../../lambdas/emails/templates/weekly-digest.tsx";

const brand: Brand = {
  name: "Reading Room",
  siteUrl: "https://reading.example.com",
  tagline: "Books & more",
  digestTopic: "Paperbacks",
  postalAddress: "Reading Room, 7 Shelf Lane, Example City",
  colors: { primary: "#2255aa", background: "#f4f4f4", text: "#202020" },
};

const subscriber = {
  recipient: "ada@example.com",
  unsubscribeUrl: "https://api.example.com/email/unsubscribe?token=t0k&address=ada%40example.com",
};
const broadcastUnsubscribe = "{{{RESEND_UNSUBSCRIBE_URL}}}";

function entry(number: number, title = `Entry ${number}`) {
  const slug = `entry-${number}`;
  return { category: "mcp", slug, title, description: `About entry ${number}.`, url: `/mcp/${slug}` };
}

function digestOf(newCount: number, trendingCount = 0): Digest {
  return {
    weekOf: "September 15 - 21, 2025",
    newContent: Array.from({ length: newCount }, (_, n) => ({ ...entry(n + 1), dateAdded: "2025-09-15" })),
    trendingContent: Array.from({ length: trendingCount }, (_, n) => ({ ...entry(n + 101), viewCount: 3_400_000 })),
  };
}

function broadcast(digest: Digest): EmailMessage & { template: "weekly-digest" } {
  return { template: "weekly-digest", recipient: null, unsubscribeUrl: broadcastUnsubscribe, digest };
}

type NewsletterMessage = Extract<EmailMessage, { recipient: unknown }>;

const sequence = ([2, 3, 4, 5] as const).map(
  (step): NewsletterMessage => ({ template: onboardingTemplateOfStep(step), ...subscriber }),
);
const messages: NewsletterMessage[] = [
  { template: "newsletter-welcome", ...subscriber },
  ...sequence,
  { template: "weekly-digest", ...subscriber, digest: digestOf(5, 3) },
];

/** Every href of the mail, decoded. */
function linksOf(html: string): string[] {
  return [...html.matchAll(/<a [^>]*?href="([^"]*)"/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&"));
}

test("each template has its subject, with the brand's own words in it", async () => {
  const subjects = await Promise.all(messages.map(async (message) => (await renderEmail(message, brand)).subject));
  expect(subjects).toEqual([
    "Welcome to Reading Room! 🎉",
    "Getting Started with Reading Room",
    "Power User Tips for Paperbacks",
    "Join the Reading Room Community",
    "Stay Engaged with Reading Room",
    "This Week in Paperbacks: September 15 - 21, 2025",
  ]);
});

test.for(messages)("$template names its own recipient and nobody else", async (message) => {
  for (const recipient of ["ada@example.com", "bob@example.com"]) {
    const mail = await renderEmail({ ...message, recipient }, brand);
    for (const part of [mail.html, mail.text]) {
      // The unsubscribe link carries an address as well, but not in a form a reader sees.
      expect(new Set(part.match(/[\w.]+@[\w.]+\w/g))).toEqual(new Set([recipient]));
      expect(part).toContain(`This mail was sent to ${recipient} because you subscribed to Reading Room.`);
    }
  }
});

test.for(messages)(
  "$template can be unsubscribed from in HTML and text, and gives the postal address",
  async (message) => {
    const { html, text } = await renderEmail(message, brand);
    expect(linksOf(html)).toContain(subscriber.unsubscribeUrl);
    expect(text.split("\n")).toContain(subscriber.unsubscribeUrl);
    expect(html).toContain(brand.postalAddress);
    expect(text).toContain(brand.postalAddress);
  },
);

test.for([
  ["newsletter-welcome", "onboarding", "welcome_series", "step_1_welcome"],
  ["onboarding-getting-started", "onboarding", "welcome_series", "step_2_getting_started"],
  ["onboarding-power-tips", "onboarding", "welcome_series", "step_3_power_tips"],
  ["onboarding-community", "onboarding", "welcome_series", "step_4_community"],
  ["onboarding-stay-engaged", "onboarding", "welcome_series", "step_5_stay_engaged"],
  ["weekly-digest", "newsletter", "weekly_digest", null],
] as const)("every link of %s to the site carries its campaign", async ([template, medium, campaign, content]) => {
  const message = messages.find((candidate) => candidate.template === template);
  if (message === undefined) throw new Error(`No sample message for ${template}`);
  const links = linksOf((await renderEmail(message, brand)).html).filter((href) => href !== subscriber.unsubscribeUrl);
  expect(links.length).toBeGreaterThanOrEqual(2);
  for (const href of links) {
    const url = new URL(href);
    expect(url.origin).toBe("https://reading.example.com");
    const parameters = ["utm_source", "utm_medium", "utm_campaign", "utm_content"].map((name) =>
      url.searchParams.get(name),
    );
    expect(parameters).toEqual(["email", medium, campaign, content]);
  }
});

test("every HTML is an accessible document: language, title, presentation tables", async () => {
  for (const message of messages) {
    const { html, subject } = await renderEmail(message, brand);
    expect(html).toMatch(/^<!DOCTYPE html [^>]+><html dir="ltr" lang="en">/);
    expect(html).toContain(`<title>${subject}</title>`);
    expect(html.match(/<table(?![^>]*role="presentation")/g)).toBeNull();
    expect(html.match(/<h1/g)).toHaveLength(1);
  }
});

test("the text part has the words of the mail and no trace of its markup or hidden preview", async () => {
  const [welcome] = messages;
  if (welcome === undefined) throw new Error("No sample message");
  const { html, text } = await renderEmail(welcome, brand);
  expect(html).toContain("Here is what Reading Room will send you");
  expect(text).not.toContain("Here is what Reading Room will send you");
  expect(text).toContain("Books & more");
  expect(text).toContain("\n\nA digest once a week\n\nWhat is new in Paperbacks,");
  expect(text).toMatch(
    /\nSee what is trending\nhttps:\/\/reading\.example\.com\/trending\?utm_source=email&utm_medium=/,
  );
  expect(text).not.toMatch(/[<>{}\u200b\u202f]|&#|&amp;|!important|\n{3}/);
});

test("a digest shows each entry, in order, with its link, day and views", async () => {
  const { html, text } = await renderEmail(broadcast(digestOf(5, 3)), brand);
  expect([...text.matchAll(/^Entry (\d+)$/gm)].map(([, number]) => number)).toEqual("1 2 3 4 5 101 102 103".split(" "));
  expect(linksOf(html).filter((href) => href.startsWith("https://reading.example.com/mcp/entry-"))).toHaveLength(8);
  expect(text.match(/^MCP · Added September 15$/gm)).toHaveLength(5);
  expect(text.match(/^MCP · 3\.4M views$/gm)).toHaveLength(3);
  expect(text).not.toContain("quiet week");
});

test("a digest of one entry has no heading for the list that is empty", async () => {
  const { text } = await renderEmail(broadcast(digestOf(1)), brand);
  expect(text).toContain("New this week");
  expect(text).toContain("\nEntry 1\n");
  expect(text).not.toContain("\nTrending\n");
});

test("a digest of an empty week says that it was quiet", async () => {
  const { subject, text } = await renderEmail(broadcast(digestOf(0)), brand);
  expect(subject).toBe("This Week in Paperbacks: September 15 - 21, 2025");
  expect(text).toContain("It was a quiet week");
  expect(text).not.toContain("New this week");
});

test.for([
  [0, "0 views"],
  [1, "1 view"],
  [999, "999 views"],
  [1200, "1.2K views"],
  [999_960, "1M views"],
  [3_400_000, "3.4M views"],
] as const)("%d views are shown as %s", async ([viewCount, shown]) => {
  const digest = { ...digestOf(0), trendingContent: [{ ...entry(1), viewCount }] };
  const { text } = await renderEmail(broadcast(digest), brand);
  expect(text).toContain(`\nMCP · ${shown}\n`);
});

test("a date that is none is left out instead of shown as Invalid Date", async () => {
  const digest = { ...digestOf(0), newContent: [{ ...entry(1), dateAdded: "soon" }] };
  expect((await renderEmail(broadcast(digest), brand)).text).toMatch(/\n\nMCP\n\nEntry 1\n/);
});

test("a broadcast keeps the provider's unsubscribe variable as it is, and addresses nobody by name", async () => {
  const { html, text } = await renderEmail(broadcast(digestOf(2)), brand);
  expect(html.match(/href="\{\{\{RESEND_UNSUBSCRIBE_URL\}\}\}"/g)).toHaveLength(1);
  expect(text.split("\n")).toContain(broadcastUnsubscribe);
  expect(text).toContain("You get this mail because you subscribed to Reading Room.");
  expect(html).not.toContain("@example.com");
});

test("a title with the provider's variable syntax is no variable in a broadcast", async () => {
  const digest = { ...digestOf(0), newContent: [{ ...entry(1, "{{{{{contact.email}}}}}"), dateAdded: "2025-09-15" }] };
  const { html, text } = await renderEmail(broadcast(digest), brand);
  for (const part of [html, text]) {
    expect(part.match(/\{\{\{/g)).toHaveLength(1);
    expect(part.replaceAll("\u2060", "")).toContain("{{{{{contact.email}}}}}");
  }
});

test("whatever a title holds is text in the HTML and itself in the text part", async () => {
  const hostile = `</title><script>alert("1")</script> 'quoted' & &amp; <b>bold</b> 🚀`;
  const digest = {
    ...digestOf(0),
    newContent: [{ ...entry(1, hostile), description: hostile, dateAdded: "2025-09-15" }],
  };
  const { html, text } = await renderEmail(broadcast({ ...digest, weekOf: hostile }), brand);
  expect(html).not.toMatch(/<script|<b>/);
  expect(html.match(/<\/title>/g)).toHaveLength(1);
  expect(html).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &#x27;quoted&#x27; &amp; &amp;amp;");
  expect(text.split("\n").filter((line) => line === hostile)).toHaveLength(3);
});

test("a recipient's address cannot bring markup into the footer", async () => {
  const recipient = `"<img src=x>"@example.com`;
  const { html, text } = await renderEmail({ template: "newsletter-welcome", ...subscriber, recipient }, brand);
  expect(html).not.toContain("<img");
  expect(text).toContain(`sent to ${recipient} because`);
});

test.for([
  "//evil.example.net/x",
  "https://evil.example.net/",
  "@evil.example.net/",
  "javascript:alert(1)",
  "mcp/plain",
])("an entry whose url is %s still links to the brand's own site", async (url) => {
  const digest = { ...digestOf(0), newContent: [{ ...entry(1), url, dateAdded: "2025-09-15" }] };
  const { html } = await renderEmail(broadcast(digest), brand);
  const links = linksOf(html).filter((href) => href !== broadcastUnsubscribe);
  expect(links).toHaveLength(3);
  for (const href of links) expect(href).toMatch(/^https:\/\/reading\.example\.com\//);
});

test("a preview that is too long is cut between characters, not inside an emoji", async () => {
  const digest = { ...digestOf(0), newContent: [{ ...entry(1, `x${"🚀".repeat(120)}`), dateAdded: "2025-09-15" }] };
  const { html } = await renderEmail(broadcast(digest), brand);
  expect(/data-skip-in-text="true">([^<]*)</.exec(html)?.[1]?.trim()).toBe(`x${"🚀".repeat(74)}`);
  expect(html.isWellFormed()).toBe(true);
});

test("a digest of the usual size stays far below the 102 kB at which Gmail cuts a mail", async () => {
  const { html } = await renderEmail(broadcast(digestOf(5, 3)), brand);
  expect(Buffer.byteLength(html)).toBeLessThan(40_000);
});
