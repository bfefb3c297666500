import type { TopicName } from "./station.ts";

const interests = [
  "general",
  "agents",
  "mcp",
  "rules",
  "commands",
  "hooks",
  "statuslines",
  "skills",
  "collections",
  "guides",
  "jobs",
  "changelog",
] as const;
type Interest = (typeof interests)[number];

const topicOfInterest: Partial<Record<Interest, TopicName>> = {
  agents: "agents-prompts",
  rules: "agents-prompts",
  mcp: "mcp-integrations",
  commands: "commands-automation",
  hooks: "commands-automation",
  statuslines: "commands-automation",
  guides: "guides-tutorials",
};

/** The interest a content category stands for; `general` for none or an unknown one. */
export function primaryInterest(category: string | null | undefined): Interest {
  const wanted = category?.toLowerCase();
  return interests.find((interest) => interest === wanted) ?? "general";
}

/** Topics a new subscriber is opted in to. Community, job board and platform news are never assigned unasked. */
export function topicsForInterest(interest: Interest): TopicName[] {
  const extra = topicOfInterest[interest];
  return extra ? ["weekly-digest", extra] : ["weekly-digest"];
}
