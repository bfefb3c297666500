import { clip } from "./clip.ts";
import { type ConventionalCommit, parseConventionalCommit } from "./conventional-commit.ts";

/** A commit as it comes from the repository's host. */
export interface RepositoryCommit {
  sha: string;
  url: string;
  message: string;
  author: string;
}

interface ChangelogSection {
  title: "Added" | "Changed" | "Fixed";
  items: string[];
}

/** What `record_changelog_entry` takes, beside the deployment. */
export interface ChangelogEntry {
  title: string;
  tldr: string;
  description: string;
  content: string;
  sections: ChangelogSection[];
  commits: RepositoryCommit[];
  keywords: string[];
  contributors: string[];
}

/** The limits of a notification, in which title and summary are shown again. */
const titleLimit = 100;
const summaryLimit = 500;
const itemLimit = 300;

const sectionOf: Record<ConventionalCommit["type"], ChangelogSection["title"]> = {
  feat: "Added",
  fix: "Fixed",
  revert: "Fixed",
  refactor: "Changed",
  perf: "Changed",
  style: "Changed",
};

/** A changelog entry of a release's commits, oldest first; undefined when none of them concerns a reader. */
export function composeChangelogEntry(
  commits: readonly RepositoryCommit[],
  { branch }: { branch: string },
): ChangelogEntry | undefined {
  const changes = commits.flatMap(({ message }) => parseConventionalCommit(message) ?? []);
  const [first] = changes;
  if (!first) return undefined;
  const sections = (["Added", "Changed", "Fixed"] as const)
    .map((title) => ({
      title,
      items: changes.filter(({ type }) => sectionOf[type] === title).map(itemOf),
    }))
    .filter(({ items }) => items.length > 0);
  return {
    title: clip(capitalized(first.text), titleLimit),
    tldr: clip(first.text, summaryLimit),
    description: countsOf(sections),
    content: markdownOf(sections),
    sections,
    commits: commits.map((commit) => ({ ...commit, message: clip(firstLineOf(commit.message), itemLimit) })),
    keywords: ["changelog", "release", ...sections.map(({ title }) => title.toLowerCase()), branch],
    contributors: [...new Set(commits.map(({ author }) => author))],
  };
}

/** `3 added, 1 fixed`. */
export function countsOf(sections: readonly { title: string; items: readonly string[] }[]): string {
  return sections.map(({ title, items }) => `${items.length} ${title.toLowerCase()}`).join(", ");
}

const itemOf = ({ text, breaking }: ConventionalCommit): string =>
  clip(`${breaking ? "Breaking: " : ""}${capitalized(text)}`, itemLimit);

/** The site shows this as Markdown, in which a commit's text must not become markup. */
function markdownOf(sections: readonly ChangelogSection[]): string {
  return sections
    .map(({ title, items }) => `### ${title}\n\n${items.map((item) => `- ${withoutHtml(item)}`).join("\n")}`)
    .join("\n\n");
}

const withoutHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const firstLineOf = (message: string): string => message.split(/\r?\n/)[0] ?? "";

function capitalized(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("");
}
