import type { z } from "zod";
import { nextAnnouncementStep } from "../../lambdas/core/announcement.ts";
import { hashPayload, nextLedgerStep } from "../../lambdas/core/ledger.ts";
import { PermanentFailure } from "../../lambdas/core/outcome.ts";
import type { StationConfig } from "../../lambdas/core/station.ts";
import type { DiscordWebhook } from "../../lambdas/providers/discord.ts";
import type { EmbeddingsProvider } from "../../lambdas/providers/embeddings.ts";
import type { GithubProvider } from "../../lambdas/providers/github.ts";
import type { ImagesProvider } from "../../lambdas/providers/images.ts";
import type { PackagesProvider } from "../../lambdas/providers/packages.ts";
import type { Mail, ResendProvider } from "../../lambdas/providers/resend.ts";
import type { SiteProvider } from "../../lambdas/providers/site.ts";
import { nothing, type SupabaseProvider } from "../../lambdas/providers/supabase.ts";
import { type AnnouncementLedger, createAnnouncementLedger } from "../../lambdas/runtime/announcement-ledger.ts";
import { createMailLedger, type MailLedger } from "../../lambdas/runtime/mail-ledger.ts";
import type { MessageSender } from "../../lambdas/runtime/message-sender.ts";
import type { DiscordChannels } from "../../lambdas/runtime/real-parts.ts";
import type { StateTable } from "../../lambdas/runtime/state-table.ts";
import type { WorkflowStarter } from "../../lambdas/runtime/workflow-starter.ts";
import { type ReadOnlyDatabase, WritesRefused } from "../read-only-database.ts";
import type { Journal } from "./journal.ts";
import { supposedAnswers } from "./supposed-answers.ts";

/** Parts of handlers that read what is there and leave out every effect, noting it instead. */

/** Functions named `get_` are asked, in a read-only transaction; all others would write. */
export function rehearsedSupabase(journal: Journal, database: ReadOnlyDatabase): SupabaseProvider {
  const supposed = new Map<string, unknown>();
  const tryReading = async (rpcName: string, args: Record<string, unknown>) => {
    if (!rpcName.startsWith("get_")) return undefined;
    try {
      return { data: await database.call(rpcName, args) };
    } catch (error) {
      if (error instanceof WritesRefused) return undefined;
      throw error;
    }
  };
  return {
    async call<S extends z.ZodType>(rpcName: string, args: Record<string, unknown>, answer: S): Promise<z.infer<S>> {
      const read = await tryReading(rpcName, args);
      if (read) {
        journal.read(rpcName, { args, answer: read.data });
        const parsed = answer.safeParse(read.data);
        // What was only supposed to be written is not there to be read.
        if (parsed.success || supposed.size === 0) return answer.parse(read.data);
      } else {
        journal.would(`call ${rpcName}`, args);
        if (Object.is(answer, nothing)) return answer.parse(null);
      }
      const probable = await supposedAnswers[rpcName]?.(args, database, supposed);
      if (probable === undefined) return journal.end(`What follows depends on what ${rpcName} would answer.`);
      journal.supposed(`${rpcName} answers`, probable);
      supposed.set(rpcName, probable);
      return answer.parse(probable);
    },
  };
}

/** Reads are real; what would be written is noted and forgotten. */
export function rehearsedTable(journal: Journal, table: StateTable): StateTable {
  const would = (what: string, key: { pk: string; sk: string }) => journal.would(`${what} ${key.pk} ${key.sk}`);
  return {
    get: (key) => table.get(key),
    async put(key) {
      would("write the record", key);
      return true;
    },
    async create(key) {
      would("write the record", key);
      return true;
    },
    async update(key) {
      would("change the record", key);
      return {};
    },
    async remove(key) {
      would("remove the record", key);
    },
  };
}

/** The ledger's own decision over the real record and the mail as today's code renders it. */
export function rehearsedMailLedger(journal: Journal, parts: { table: StateTable; now: () => number }): MailLedger {
  const { read } = createMailLedger(parts);
  return {
    read,
    async send({ key, payload, acquire, call }) {
      const record = await read(key);
      journal.read(`ledger record ${key}`, record ?? "there is none");
      const step = record && nextLedgerStep(record, { payloadHash: hashPayload(payload), nowMs: parts.now() });
      switch (step?.kind) {
        case "already-sent":
          journal.would(`not send: ${key} is ${step.record.status} already`);
          return { outcome: "already-sent", providerIds: step.record.providerIds };
        case "refused":
          throw new PermanentFailure(`${key} was refused before: ${step.record.reason}`);
        case "park":
          journal.would(`park ${key}: ${step.reason}`);
          return { outcome: "parked", reason: step.reason };
        case "parked":
          journal.would(`not send: ${key} is parked`);
          return { outcome: "parked", reason: step.record.reason ?? "parked" };
        default: {
          await acquire();
          return { outcome: "accepted", providerIds: await call(key) };
        }
      }
    },
    async giveUp(key, reason) {
      const isUndecided = (await read(key))?.status === "sending";
      if (isUndecided) journal.would(`park ${key}: ${reason}`);
      return isUndecided ? "parked" : "suppressed";
    },
    async settle(tag, fate) {
      journal.would("note in the ledger what became of the mail", { tag, fate });
      return "settled";
    },
  };
}

export function rehearsedAnnouncements(
  journal: Journal,
  parts: { table: StateTable; now: () => number },
): AnnouncementLedger {
  const { read } = createAnnouncementLedger(parts);
  return {
    read,
    async announce({ key, message, webhook, follows = false, knownMessageId = null }) {
      const found = await read(key);
      journal.read(`ledger record ${key}`, found ?? "there is none");
      const record = found ?? {
        key,
        status: knownMessageId ? ("accepted" as const) : ("claimed" as const),
        messageId: knownMessageId,
        messageHash: null,
        attemptedMs: null,
        reason: null,
      };
      const step = nextAnnouncementStep(record, { messageHash: hashPayload(message), nowMs: parts.now() });
      switch (step.kind) {
        case "create":
          await webhook.acquire();
          return { outcome: "posted", messageId: await webhook.create(message) };
        case "edit":
          if (follows) await webhook.edit(step.messageId, message);
          else journal.would(`not post: ${key} is posted already`);
          return { outcome: follows ? "posted" : "unchanged", messageId: step.messageId };
        case "unchanged":
          journal.would(`not post: ${key} is posted already`);
          return { outcome: "unchanged", messageId: record.messageId };
        case "refused":
          throw new PermanentFailure(`${key} was refused before: ${record.reason}`);
        case "wait":
          return journal.end(`Another attempt to post ${key} may be under way.`);
        case "park":
          journal.would(`park ${key}: ${step.reason}`);
          return { outcome: "parked" };
        case "parked":
          journal.would(`not post: ${key} is parked`);
          return { outcome: "parked" };
      }
    },
  };
}

export function rehearsedResend(journal: Journal): ResendProvider {
  const mailFacts = ({ to, from, subject }: Mail) => ({ to, from, subject });
  const unforeseen = async (what: string): Promise<never> => {
    journal.would(`ask Resend: ${what}`);
    return journal.end(`What follows depends on what Resend would answer to ${what}.`);
  };
  return {
    async acquire() {},
    async sendMail(mail, idempotencyKey) {
      journal.would("send a mail", { ...mailFacts(mail), idempotencyKey });
      return "rehearsed";
    },
    async sendMails(mails, idempotencyKey) {
      journal.would(`send ${mails.length} mails`, { idempotencyKey, mails: mails.map(mailFacts) });
      return mails.map(() => "rehearsed");
    },
    async createContact(contact) {
      journal.would("create the contact at Resend, or find that it is there", contact);
      return "rehearsed";
    },
    async completeContact(contact) {
      journal.would("bring the contact at Resend up to date", contact);
      return "rehearsed";
    },
    async setUnsubscribed(email, unsubscribed) {
      journal.would("set at Resend whether the contact wants broadcasts", { email, unsubscribed });
    },
    listSegments: () => unforeseen("the contact's segments"),
    async addToSegment(contactId, segmentId) {
      journal.would("add the contact to a segment at Resend", { contactId, segmentId });
    },
    async removeFromSegment(contactId, segmentId) {
      journal.would("remove the contact from a segment at Resend", { contactId, segmentId });
    },
    findBroadcast: () => unforeseen("which broadcasts there are"),
    createBroadcast: () => unforeseen("a new broadcast"),
    readBroadcast: () => unforeseen("a broadcast"),
    async sendBroadcast(id) {
      journal.would("send the broadcast", { id });
    },
  };
}

export function rehearsedDiscord(journal: Journal, { discord }: StationConfig): DiscordChannels {
  return async (channel): Promise<DiscordWebhook | undefined> => {
    if (!discord.channels.includes(channel)) return undefined;
    return {
      async acquire() {},
      async create(message) {
        journal.would(`post to Discord, channel ${channel}`, message);
        return "rehearsed";
      },
      async edit(messageId, message) {
        journal.would(`edit the Discord message ${messageId}, channel ${channel}`, message);
        return "edited";
      },
    };
  };
}

export const rehearsedSender = (journal: Journal): MessageSender => ({
  async send(queue, envelope) {
    journal.would(`put a message on ${queue}`, envelope);
  },
  async sendAll(queue, envelopes) {
    if (envelopes.length > 0) journal.would(`put ${envelopes.length} messages on ${queue}`, envelopes);
    return [];
  },
});

export const rehearsedWorkflows = (journal: Journal): WorkflowStarter => ({
  async start(workflow, name, input) {
    journal.would(`start the workflow ${workflow} as ${name}`, input);
    return { started: true };
  },
  async run(workflow, input) {
    journal.would(`run the workflow ${workflow} and wait for its end`, input);
  },
});

/** Services that are asked to do something and whose answer does not matter, or can only be theirs. */
export function rehearsedServices(journal: Journal, { embeddings }: StationConfig) {
  const site: SiteProvider = {
    async revalidate(what) {
      journal.would("make pages of the site stale", what);
    },
  };
  const images: ImagesProvider = {
    async generate(wish) {
      journal.would("have a picture made", wish);
    },
  };
  const packages: PackagesProvider = {
    async generate(wish) {
      journal.would("have a download made", wish);
    },
  };
  const embedder: EmbeddingsProvider = {
    async embed(text) {
      journal.would(`have the vector of a text of ${text.length} characters made`);
      return Array<number>(embeddings.dimensions).fill(0);
    },
  };
  const github: GithubProvider = {
    async compareCommits(base, head) {
      journal.would(`ask GitHub what lies between ${base} and ${head}`);
      return journal.end("What follows depends on the commits.");
    },
  };
  return { site, images, packages, embeddings: embedder, github };
}
