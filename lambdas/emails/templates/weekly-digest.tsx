import type { Brand } from "../../core/station.ts";
import { GroupHeading, Item, Paragraph } from "../blocks.tsx";
import { Layout } from "../layout.tsx";
import type { Mail } from "../mail.ts";

/** An entry of the directory; `url` is a path on the brand's site. */
interface DigestEntry {
  category: string;
  slug: string;
  title: string;
  description: string;
  url: string;
}

/** One week's content as `get_weekly_digest` returns it, in the order to be shown. */
export interface Digest {
  /** How the week is called in the subject, such as "November 17 - 23, 2025". */
  weekOf: string;
  /** `dateAdded` is an ISO date or time; anything else is not shown. */
  newContent: (DigestEntry & { dateAdded: string })[];
  trendingContent: (DigestEntry & { viewCount: number })[];
}

/** `recipient: null` with the provider's unsubscribe variable makes the one mail of a broadcast. */
interface DigestMessage {
  recipient: string | null;
  unsubscribeUrl: string;
  digest: Digest;
}

const campaign = { medium: "newsletter", campaign: "weekly_digest" };

/** The week's new and trending entries; with none of either, a short note that the week was quiet. */
export function weeklyDigest({ recipient, unsubscribeUrl, digest }: DigestMessage, brand: Brand): Mail {
  const { weekOf, newContent, trendingContent } = digest;
  const subject = `This Week in ${brand.digestTopic}: ${weekOf}`;
  const first = newContent[0] ?? trendingContent[0];
  const document = (
    <Layout
      brand={brand}
      campaign={campaign}
      subject={subject}
      preview={first === undefined ? "A quiet week, and where to look meanwhile." : previewOf(first.title, digest)}
      title={`This Week in ${brand.digestTopic}`}
      lead={weekOf}
      callToAction={{ label: "See everything that is trending", path: "/trending" }}
      recipient={recipient}
      unsubscribeUrl={unsubscribeUrl}
    >
      {first === undefined ? (
        <Paragraph>
          It was a quiet week: nothing new was added, so there is nothing to catch up on. What readers liked best so far
          is always on the trending list.
        </Paragraph>
      ) : null}
      {newContent.length > 0 ? <GroupHeading>New this week</GroupHeading> : null}
      {newContent.map((entry) => (
        <Entry key={`${entry.category}/${entry.slug}`} entry={entry} detail={addedOn(entry.dateAdded)} />
      ))}
      {trendingContent.length > 0 ? <GroupHeading>Trending</GroupHeading> : null}
      {trendingContent.map((entry) => (
        <Entry key={`${entry.category}/${entry.slug}`} entry={entry} detail={viewsOf(entry.viewCount)} />
      ))}
    </Layout>
  );
  return { subject, document };
}

function Entry({ entry, detail }: { entry: DigestEntry; detail: string }) {
  const note = [categoryLabel(entry.category), detail].filter((part) => part !== "").join(" · ");
  return (
    <Item note={note} title={inert(entry.title)} path={entry.url} level="h3">
      {inert(entry.description)}
    </Item>
  );
}

function previewOf(firstTitle: string, { newContent, trendingContent }: Digest): string {
  const others = newContent.length + trendingContent.length - 1;
  return others === 0 ? inert(firstTitle) : `${inert(firstTitle)}, and ${others} more`;
}

/** "mcp" -> "MCP", "job-board" -> "Job board". */
function categoryLabel(category: string): string {
  if (category.length <= 3) return category.toUpperCase();
  const words = category.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function addedOn(date: string): string {
  const time = Date.parse(date);
  if (Number.isNaN(time)) return "";
  // In UTC, or the day would depend on where this runs.
  return `Added ${new Intl.DateTimeFormat("en", { month: "long", day: "numeric", timeZone: "UTC" }).format(time)}`;
}

/** 999 -> "999 views", 1200 -> "1.2K views", 3400000 -> "3.4M views". */
function viewsOf(count: number): string {
  const amount = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(count);
  return `${amount} ${count === 1 ? "view" : "views"}`;
}

/**
 * A broadcast's body goes through the provider's own templating, which would replace a `{{{name}}}` that is part
 * of somebody's title: an invisible word joiner between the braces keeps it as written.
 */
function inert(content: string): string {
  return content.replaceAll("{{", "{\u2060{");
}
