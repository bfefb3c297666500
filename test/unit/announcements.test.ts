import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  contentMessage,
  jobMessage,
  type PublishedContent,
  type Release,
  releaseMessage,
  type Submission,
  submissionMessage,
} from "../../lambdas/core/announcements.ts";
import { type DiscordMessage, discordMessage } from "../../lambdas/core/discord-message.ts";
import { startDiscord } from "../../local/vendors/discord/server.ts";
import type { StandIn } from "../../local/vendors/stand-in.ts";

const siteUrl = "https://directory.example.com";
const long = "🛠️ very long words ".repeat(1000);

const release: Release = {
  slug: "2026-11-24-abc123",
  title: "Ranking",
  tldr: "ranking",
  sections: [{ title: "Added", items: ["1", "2", "3", "4", "5", "6", "7"] }],
  commits: [{ sha: "0123456789abcdef", url: "https://github.com/example/directory/commit/0123456" }],
  contributors: ["Ada", "Grace"],
  commit_count: 1,
  release_date: "2026-11-24",
};
const submission: Submission = {
  submission_id: "12345678-0000-4000-8000-000000000001",
  name: "A hook",
  description: "It hooks.",
  category: "hooks",
  submission_type: "hooks",
  author: "Ada",
  author_profile_url: null,
  github_url: null,
  tags: [],
  created_at: "2026-11-24T10:00:00+00:00",
};
const content: PublishedContent = {
  category: "mcp",
  slug: "a-server",
  title: "A server",
  description: "It serves.",
  author: "Ada",
  author_profile_url: "https://example.com/ada",
  tags: ["a", "b"],
  date_added: "2026-11-24",
};

test("a release tells counts, five items of each section, and its latest commit", () => {
  expect(releaseMessage(release, siteUrl)).toEqual({
    embeds: [
      {
        title: "Ranking",
        url: "https://directory.example.com/changelog/2026-11-24-abc123",
        description: "7 added",
        color: 0x3ba55d,
        fields: [
          { name: "TL;DR", value: "ranking", inline: false },
          { name: "Added", value: "• 1\n• 2\n• 3\n• 4\n• 5\nand 2 more", inline: false },
          {
            name: "Release",
            value: "1 commit · 2 contributors · latest [0123456](https://github.com/example/directory/commit/0123456)",
            inline: false,
          },
        ],
        footer: { text: "🚀 November 24, 2026" },
      },
    ],
    allowed_mentions: { parse: [] },
  });
});

test("a contribution is shown in its category's colour, without what is missing", () => {
  const [embed] = submissionMessage(submission).embeds;
  expect(embed).toMatchObject({ title: "🪝 A hook", color: 0xeb459e, footer: { text: "Submission 12345678" } });
  expect(embed?.fields?.map(({ name }) => name)).toEqual(["Type", "Category", "Author"]);
});

test("an entry is linked, with its author and tags", () => {
  const [embed] = contentMessage(content, siteUrl).embeds;
  expect(embed).toMatchObject({ title: "🔌 A server", url: "https://directory.example.com/mcp/a-server" });
  expect(embed?.fields).toContainEqual({ name: "Author", value: "[Ada](https://example.com/ada)", inline: true });
  expect(embed?.fields).toContainEqual({ name: "Tags", value: "#a #b", inline: false });
});

test("an unknown category has a look too, and no author can forge a link", () => {
  const [embed] = contentMessage(
    { ...content, category: "constructor", author: "x](https://evil.example)", author_profile_url: "javascript:1" },
    siteUrl,
  ).embeds;
  expect(embed).toMatchObject({ title: "📄 A server", color: 0x5865f2 });
  expect(embed?.fields?.[1]?.value).toBe("x\\](https://evil.example)");
});

describe("Discord takes every message, however long its parts are", () => {
  let discord: StandIn;
  let address: string;
  beforeAll(async () => {
    discord = await startDiscord({ webhooks: [{ id: "1", token: "t", name: "news" }], now: Date.now, limit: 1000 });
    address = `${discord.url}/api/v10/webhooks/1/t?wait=true`;
  });
  afterAll(() => discord.close());

  const sections = ["Added", "Changed", "Fixed"].map((title) => ({ title, items: Array(50).fill(long) }));
  const messages: [string, DiscordMessage][] = [
    ["a release", releaseMessage({ ...release, title: long, tldr: long, sections }, siteUrl)],
    ["a release without anything", releaseMessage({ ...release, tldr: "", sections: [], commits: [] }, siteUrl)],
    [
      "a contribution",
      submissionMessage({ ...submission, name: long, description: long, author: long, tags: Array(500).fill(long) }),
    ],
    ["an entry", contentMessage({ ...content, title: long, description: long, tags: Array(500).fill("tag") }, siteUrl)],
    [
      "a job",
      jobMessage({
        title: long,
        description: long,
        footer: { text: long },
        url: `https://example.com/${"x".repeat(3000)}`,
        fields: Array(40).fill({ name: long, value: long }),
      }),
    ],
    ["a job without values", jobMessage({ title: "A job", fields: [{ name: " ", value: "" }] })],
    ["a long line", discordMessage({ content: long, embed: { title: "x" } })],
  ];
  test.each(messages)("%s", async (_what, message) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(message) });
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 200 });
  });

  test("without any of its fields being lost for nothing", () => {
    const fields = Array(25).fill({ name: "n".repeat(40), value: "v".repeat(160) });
    expect(jobMessage({ title: "x", fields }).embeds[0]?.fields).toHaveLength(25);
  });
});
