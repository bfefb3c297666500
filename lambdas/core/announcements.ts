import { countsOf } from "./changelog-entry.ts";
import { clip } from "./clip.ts";
import { type DiscordEmbed, type DiscordMessage, discordMessage, isLink, linkTo } from "./discord-message.ts";

/** What a release's announcement is made of; `get_changelog_entry` has it. */
export interface Release {
  slug: string;
  title: string;
  tldr: string;
  sections: { title: string; items: string[] }[];
  commits: { sha: string; url: string }[];
  contributors: string[];
  commit_count: number;
  /** YYYY-MM-DD */
  release_date: string;
}

/** A contribution as `get_submission_for_announcement` gives it: without the address of who sent it (D-9). */
export interface Submission {
  submission_id: string;
  name: string;
  description: string;
  category: string;
  submission_type: string;
  author: string;
  author_profile_url: string | null;
  github_url: string | null;
  tags: string[];
  created_at: string;
}

/** An entry of the directory as `get_content_for_announcement` gives it. */
export interface PublishedContent {
  category: string;
  slug: string;
  title: string;
  description: string;
  author: string;
  author_profile_url: string | null;
  tags: string[];
  /** YYYY-MM-DD */
  date_added: string;
}

const releaseColor = 0x3ba55d;
const itemsPerSection = 5;

const looks: Readonly<Record<string, { color: number; emoji: string }>> = {
  agents: { color: 0x5865f2, emoji: "🤖" },
  mcp: { color: 0x57f287, emoji: "🔌" },
  commands: { color: 0xfee75c, emoji: "⚡" },
  hooks: { color: 0xeb459e, emoji: "🪝" },
  rules: { color: 0xed4245, emoji: "📜" },
  statuslines: { color: 0xf26522, emoji: "📊" },
  skills: { color: 0x3ba55d, emoji: "🛠️" },
  collections: { color: 0x7289da, emoji: "📚" },
  guides: { color: 0x99aab5, emoji: "📖" },
};
const plainLook = { color: 0x5865f2, emoji: "📄" };

const lookOf = (category: string) => (Object.hasOwn(looks, category) ? looks[category] : undefined) ?? plainLook;

export function releaseMessage(release: Release, siteUrl: string): DiscordMessage {
  const latest = release.commits.at(-1);
  const stats = [
    plural(release.commit_count, "commit"),
    plural(release.contributors.length, "contributor"),
    ...(latest ? [`latest ${linkTo(latest.sha.slice(0, 7), latest.url)}`] : []),
  ];
  return discordMessage({
    embed: {
      title: release.title,
      url: `${siteUrl}/changelog/${release.slug}`,
      description: countsOf(release.sections),
      color: releaseColor,
      fields: [
        ...(release.tldr ? [{ name: "TL;DR", value: clip(release.tldr, 300) }] : []),
        ...release.sections.map(({ title, items }) => ({ name: title, value: listOf(items) })),
        { name: "Release", value: stats.join(" · ") },
      ],
      footer: { text: `🚀 ${longDate(release.release_date)}` },
    },
  });
}

function listOf(items: readonly string[]): string {
  const more = items.length - itemsPerSection;
  const lines = items.slice(0, itemsPerSection).map((item) => `• ${clip(item, 80)}`);
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join("\n");
}

/** The database builds the embed, from the job's row as it is now. */
export const jobMessage = (embed: DiscordEmbed): DiscordMessage => discordMessage({ embed });

export function submissionMessage(submission: Submission): DiscordMessage {
  const { color, emoji } = lookOf(submission.category);
  return discordMessage({
    content: "📥 A new contribution was submitted",
    embed: {
      title: `${emoji} ${submission.name}`,
      description: clip(submission.description, 300),
      color,
      fields: [
        { name: "Type", value: submission.submission_type, inline: true },
        { name: "Category", value: submission.category, inline: true },
        { name: "Author", value: linkTo(submission.author, submission.author_profile_url), inline: true },
        ...(submission.github_url && isLink(submission.github_url)
          ? [{ name: "GitHub", value: linkTo("Repository", submission.github_url), inline: true }]
          : []),
        ...(submission.tags.length > 0 ? [{ name: "Tags", value: hashTags(submission.tags) }] : []),
      ],
      footer: { text: `Submission ${submission.submission_id.slice(0, 8)}` },
      timestamp: submission.created_at,
    },
  });
}

export function contentMessage(content: PublishedContent, siteUrl: string): DiscordMessage {
  const { color, emoji } = lookOf(content.category);
  const url = `${siteUrl}/${content.category}/${content.slug}`;
  return discordMessage({
    content: "✨ New in the directory",
    embed: {
      title: `${emoji} ${content.title}`,
      description: clip(content.description, 200),
      url,
      color,
      fields: [
        { name: "Type", value: content.category, inline: true },
        { name: "Author", value: linkTo(content.author, content.author_profile_url), inline: true },
        { name: "Tags", value: content.tags.length > 0 ? hashTags(content.tags) : "None" },
        { name: "Link", value: linkTo("View it in the directory", url) },
      ],
      footer: { text: `Added ${longDate(content.date_added)}` },
    },
  });
}

const hashTags = (tags: readonly string[]): string => tags.map((tag) => `#${tag}`).join(" ");

const plural = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? "" : "s"}`;

/** `November 24, 2026` */
function longDate(date: string): string {
  return new Date(`${date}T00:00:00Z`).toLocaleDateString("en-US", { dateStyle: "long", timeZone: "UTC" });
}
