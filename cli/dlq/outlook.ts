import { z } from "zod";
import { nextAnnouncementStep } from "../../lambdas/core/announcement.ts";
import { nextLedgerStep } from "../../lambdas/core/ledger.ts";
import { contentKey, type LedgerUse, ledgerUseOf, welcomeKey } from "../../lambdas/core/ledger-keys.ts";
import { createAnnouncementLedger } from "../../lambdas/runtime/announcement-ledger.ts";
import { createMailLedger } from "../../lambdas/runtime/mail-ledger.ts";
import { wasDone } from "../../lambdas/runtime/only-once.ts";
import { openReadOnlyDatabase, type ReadOnlyDatabase } from "../read-only-database.ts";
import type { Target } from "../target.ts";
import type { DeadLetter } from "./dead-letters.ts";

/** What a message would do if it were carried out again, as far as the ledgers tell. */
export interface Outlook {
  verdict:
    | "would-send"
    /** What it sends was accepted already: the ledger holds it back. */
    | "would-not-send-again"
    /** Nobody knows whether it was sent; see `flux ledger`. */
    | "parked"
    /** The provider said no for good, so it would only die again. */
    | "refused"
    /** It sends nothing that must not be sent twice. */
    | "repeatable"
    | "unknown";
  detail: string;
  key: string | null;
}

type Told = Omit<Outlook, "key">;
type Ask = (letter: DeadLetter) => Promise<Outlook>;

/** Asks the ledgers; the database only where the message does not say itself under which key it is sent. */
export function createOutlook(target: Target): Ask {
  const { table, now } = target;
  const mails = createMailLedger({ table, now });
  const announcements = createAnnouncementLedger({ table, now });
  let opened: Promise<ReadOnlyDatabase> | undefined;
  const database = () => {
    opened ??= openReadOnlyDatabase(target);
    return opened;
  };

  const keyed = async (kind: "mail" | "announcement", key: string): Promise<Outlook> => {
    const told = kind === "mail" ? ofMail(await mails.read(key), now()) : ofPost(await announcements.read(key), now());
    return { ...told, key };
  };

  const of = async (use: LedgerUse, { queue, id }: DeadLetter): Promise<Outlook> => {
    switch (use.kind) {
      case "mail":
      case "announcement":
        return keyed(use.kind, use.key);
      case "none":
        if (await wasDone(table, queue, id))
          return { verdict: "would-not-send-again", detail: "it was carried out before", key: null };
        return { verdict: "repeatable", detail: "it sends nothing that must not be sent twice", key: null };
      case "welcome-of": {
        const row = z.object({ id: z.uuid() });
        const found = await (await database()).find("newsletter_subscriptions", "email", use.email, row);
        if (found) return keyed("mail", welcomeKey(found.id));
        return { verdict: "would-send", detail: "there is no subscription yet", key: null };
      }
      case "content-of": {
        const row = z.object({ content_id: z.uuid().nullable() }).nullable();
        const args = { p_submission_id: use.submissionId };
        const found = row.parse(await (await database()).call("get_submission_for_announcement", args));
        if (found?.content_id) return keyed("announcement", contentKey(found.content_id));
        return { verdict: "repeatable", detail: "there is nothing to announce yet", key: null };
      }
    }
  };

  return async (letter) => {
    const use = letter.envelope && ledgerUseOf(letter.queue, letter.envelope.payload);
    if (!use) return { verdict: "unknown", detail: "it breaks its contract: see `flux dlq diff`", key: null };
    try {
      return await of(use, letter);
    } catch (error) {
      return { verdict: "unknown", detail: error instanceof Error ? error.message : String(error), key: null };
    }
  };
}

type MailRecord = Awaited<ReturnType<ReturnType<typeof createMailLedger>["read"]>>;
type PostRecord = Awaited<ReturnType<ReturnType<typeof createAnnouncementLedger>["read"]>>;

function ofMail(record: MailRecord, nowMs: number): Told {
  if (!record) return { verdict: "would-send", detail: "the mail was never tried" };
  // Whether today's code renders the same bytes shows only when it renders them: `flux dlq rehearse`.
  const step = nextLedgerStep(record, { payloadHash: record.payloadHash, nowMs });
  switch (step.kind) {
    case "already-sent":
      return { verdict: "would-not-send-again", detail: `the mail is ${record.status}` };
    case "refused":
      return { verdict: "refused", detail: `the provider refused the mail: ${record.reason}` };
    case "parked":
      return { verdict: "parked", detail: `the mail is parked: ${record.reason}` };
    case "park":
      return { verdict: "parked", detail: `the mail would be parked: ${step.reason}` };
    case "send":
      return record.firstAttemptMs === null
        ? { verdict: "would-send", detail: "nothing was accepted yet" }
        : { verdict: "would-send", detail: "an attempt without an end would be repeated under its own key" };
  }
}

function ofPost(record: PostRecord, nowMs: number): Told {
  if (!record) return { verdict: "would-send", detail: "it was never posted" };
  const step = nextAnnouncementStep(record, { messageHash: record.messageHash ?? "", nowMs });
  switch (step.kind) {
    case "create":
      return { verdict: "would-send", detail: "it was never posted" };
    case "unchanged":
    case "edit":
      return {
        verdict: "would-not-send-again",
        detail: `it is posted${record.messageId ? ` as ${record.messageId}` : ""}`,
      };
    case "refused":
      return { verdict: "refused", detail: `Discord refused it: ${record.reason}` };
    case "parked":
      return { verdict: "parked", detail: `it is parked: ${record.reason}` };
    case "park":
      return { verdict: "parked", detail: `it would be parked: ${step.reason}` };
    case "wait":
      return { verdict: "unknown", detail: "an attempt may be under way right now" };
  }
}
