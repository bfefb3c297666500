import type { StationConfig } from "./lambdas/core/station.ts";

/** The one file an adopter edits. Secrets do not belong here: see README, "Secrets". */
export const config: StationConfig = {
  brand: {
    name: "Example Directory",
    siteUrl: "https://directory.example.com",
    tagline: "The best of what people build with agents, once a week.",
    digestTopic: "Agents",
    postalAddress: "Example Directory, 1 Example Street, 00000 Example City",
    colors: { primary: "#d97757", background: "#f6f4f0", text: "#1f1e1d" },
  },
  senders: {
    hello: "Example Directory <hello@mail.example.com>",
    onboarding: "Example Directory <onboarding@mail.example.com>",
    jobs: "Example Directory Jobs <jobs@mail.example.com>",
    community: "Example Directory <community@mail.example.com>",
    contact: "Example Directory <contact@mail.example.com>",
    team: "team@example.com",
  },
  supabaseUrl: "https://your-project.supabase.co",
  allowedOrigins: ["https://directory.example.com"],
  resend: {
    topics: {
      "weekly-digest": "11111111-0000-4000-8000-000000000001",
      "agents-prompts": "11111111-0000-4000-8000-000000000002",
      "mcp-integrations": "11111111-0000-4000-8000-000000000003",
      "commands-automation": "11111111-0000-4000-8000-000000000004",
      "guides-tutorials": "11111111-0000-4000-8000-000000000005",
      "community-highlights": "11111111-0000-4000-8000-000000000006",
      "job-board": "11111111-0000-4000-8000-000000000007",
      "platform-updates": "11111111-0000-4000-8000-000000000008",
    },
    segments: {
      newsletter: "22222222-0000-4000-8000-000000000001",
      "high-engagement": "22222222-0000-4000-8000-000000000002",
      "medium-engagement": "22222222-0000-4000-8000-000000000003",
      "low-engagement": "22222222-0000-4000-8000-000000000004",
    },
  },
  digest: { timeZone: "UTC", mode: "broadcast", onEmpty: "skip" },
  site: { revalidateSecretIn: "header" },
  changelog: { owner: "example", repository: "directory", branch: "main" },
  discord: { channels: ["jobs", "submissions", "announcements", "changelog", "errors"] },
  embeddings: {
    baseUrl: "https://api.openai.com",
    model: "text-embedding-3-small",
    dimensions: 1536,
    shortens: true,
  },
};
