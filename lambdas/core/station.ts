import { type FlagName, type FlagRecord, flags } from "../../registry/flags.ts";
import { type ProviderName, type ProviderRecord, providers } from "../../registry/providers.ts";
import { type QueueName, type QueueRecord, queues } from "../../registry/queues.ts";
import { type RouteName, type RouteRecord, routes } from "../../registry/routes.ts";
import { type ScheduleName, type ScheduleRecord, schedules } from "../../registry/schedules.ts";
import { type SignalName, type SignalRecord, signals } from "../../registry/signals.ts";
import { type WorkflowName, type WorkflowRecord, workflows } from "../../registry/workflows.ts";
import { mapRecord } from "./record.ts";

/** What every mail shows of the sender: names, links and colours. */
export interface Brand {
  name: string;
  /** Public site, no trailing slash: links in mails start with it. */
  siteUrl: string;
  /** One line under the name in headers and footers. */
  tagline: string;
  /** What the digest is called: "This Week in {digestTopic}: ...". */
  digestTopic: string;
  /** Shown in every footer; anti-spam law asks for it. */
  postalAddress: string;
  colors: { primary: string; background: string; text: string };
}

/** From addresses by role; `team` receives what visitors write to us. */
export interface Senders {
  hello: string;
  onboarding: string;
  jobs: string;
  community: string;
  contact: string;
  team: string;
}

export type TopicName =
  | "weekly-digest"
  | "agents-prompts"
  | "mcp-integrations"
  | "commands-automation"
  | "guides-tutorials"
  | "community-highlights"
  | "job-board"
  | "platform-updates";

export type SegmentName = "newsletter" | "high-engagement" | "medium-engagement" | "low-engagement";

export type DiscordChannel = "jobs" | "submissions" | "announcements" | "changelog" | "errors";

/** How a digest leaves: one broadcast for any audience, or batches of single mails through the ledger. */
export type DigestMode = "broadcast" | "batch";

/** The shape of `station.config.ts`, the one file an adopter edits. Everything optional has a default in `registry/`. */
export interface StationConfig {
  brand: Brand;
  senders: Senders;
  /** `https://<project>.supabase.co` */
  supabaseUrl: string;
  /** Where this API answers, when it has a domain of its own; else the API's generated address is used in links. */
  apiUrl?: string;
  /** Browser origins that may call the API. */
  allowedOrigins: string[];
  resend: {
    topics: Record<TopicName, string>;
    segments: Record<SegmentName, string>;
  };
  digest: {
    /** IANA zone in which the digest's week begins and its schedule runs. */
    timeZone: string;
    mode: DigestMode;
    /** What an empty week does: no mail and an alarm, or a mail that says so. */
    onEmpty: "skip" | "send";
  };
  /** The repository on GitHub whose commits the changelog tells of, and the branch that is released from. */
  changelog: { owner: string; repository: string; branch: string };
  /** Channels that are posted to; each needs its webhook among the secrets. */
  discord: { channels: DiscordChannel[] };
  /** The model at the OpenAI-style endpoint and the length of its vectors; another length is refused. */
  embeddings: {
    /** Without `/v1`. */
    baseUrl: string;
    model: string;
    dimensions: number;
    /** The model can make its vectors shorter: it is asked for `dimensions`. */
    shortens: boolean;
  };
  /** Where the site's revalidate endpoint looks for the secret: header `x-revalidate-secret`, or `secret` in the body. */
  site: { revalidateSecretIn: "header" | "body" };
  captcha?: {
    /** Whether a visitor must solve the challenge to subscribe, as for the contact form. */
    onSubscribe?: boolean;
  };
  /** Overrides of `registry/schedules.ts` by name. */
  schedules?: Partial<Record<ScheduleName, { expression?: string; enabled?: boolean }>>;
  /** Overrides of `registry/providers.ts` by name. */
  limits?: Partial<Record<ProviderName, { callsPerSecond?: number }>>;
  /** Flags of `registry/flags.ts` that are on from deployment; the others are off until somebody flips them. */
  flags?: Partial<Record<FlagName, boolean>>;
  alarms?: { email?: string };
  logs?: { retentionDays?: 7 | 14 | 30 | 90 | 365; level?: "DEBUG" | "INFO" | "WARN" | "ERROR" };
}

/** The registry with the adopter's overrides laid over it: what infra builds and what functions read. */
export interface Station {
  config: StationConfig;
  routes: Record<RouteName, RouteRecord>;
  queues: Record<QueueName, QueueRecord>;
  workflows: Record<WorkflowName, WorkflowRecord>;
  schedules: Record<ScheduleName, ScheduleRecord & { enabled: boolean }>;
  providers: Record<ProviderName, ProviderRecord>;
  signals: Record<SignalName, SignalRecord>;
  /** `on`: until the operator flips it. */
  flags: Record<FlagName, FlagRecord & { on: boolean }>;
}

/** The only place where `station.config.ts` meets `registry/`. */
export function resolveStation(config: StationConfig): Station {
  return {
    config,
    routes: config.captcha?.onSubscribe
      ? { ...routes, "email-subscribe": { ...routes["email-subscribe"], auth: routes["email-contact"].auth } }
      : routes,
    queues,
    workflows,
    schedules: mapRecord(schedules, (record, name) => ({ enabled: true, ...record, ...config.schedules?.[name] })),
    providers: mapRecord(providers, (record, name) => ({ ...record, ...config.limits?.[name] })),
    signals,
    flags: mapRecord(flags, (record, name) => ({ ...record, on: config.flags?.[name] ?? false })),
  };
}
