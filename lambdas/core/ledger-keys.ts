import type { QueueName } from "../../registry/queues.ts";
import { contracts } from "./messages.ts";

/** Business keys of what is sent for a message. Whoever sends and whoever looks up a ledger record must agree on them. */
export const welcomeKey = (subscriptionId: string): string => `welcome/${subscriptionId}`;
export const jobKey = (jobId: string): string => `discord/job/${jobId}`;
export const submissionKey = (submissionId: string): string => `discord/submission/${submissionId}`;
export const contentKey = (contentId: string): string => `discord/content/${contentId}`;
export const changelogKey = (entryId: string): string => `discord/changelog/${entryId}`;

/** What a message has to do with the ledgers. */
export type LedgerUse =
  | { kind: "mail" | "announcement"; key: string }
  /** The key holds the id of the address's subscription, which only the database knows. */
  | { kind: "welcome-of"; email: string }
  /** The key holds the id of the submission's content, which only the database knows. */
  | { kind: "content-of"; submissionId: string }
  /** It sends nothing that could not be sent twice. */
  | { kind: "none" };

/** Under which business key a message is sent, as far as the message says; undefined when it breaks its contract. */
export function ledgerUseOf(queue: QueueName, payload: unknown): LedgerUse | undefined {
  switch (queue) {
    case "email": {
      const { data } = contracts.email.safeParse(payload);
      return data && { kind: "mail", key: data.ledgerKey };
    }
    case "subscription": {
      const { data } = contracts.subscription.safeParse(payload);
      if (data?.kind === "welcome") return { kind: "mail", key: welcomeKey(data.subscriptionId) };
      if (data?.kind === "subscribe") return { kind: "welcome-of", email: data.email };
      return data && { kind: "none" };
    }
    case "discord-jobs": {
      const { data } = contracts["discord-jobs"].safeParse(payload);
      return data && { kind: "announcement", key: jobKey(data.job_id) };
    }
    case "discord-submissions": {
      const { data } = contracts["discord-submissions"].safeParse(payload);
      if (data?.change === "INSERT") return { kind: "announcement", key: submissionKey(data.submission_id) };
      return data && { kind: "content-of", submissionId: data.submission_id };
    }
    case "changelog-notify": {
      const { data } = contracts["changelog-notify"].safeParse(payload);
      return data && { kind: "announcement", key: changelogKey(data.entry_id) };
    }
    default:
      return contracts[queue].safeParse(payload).success ? { kind: "none" } : undefined;
  }
}
