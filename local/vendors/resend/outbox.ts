import { randomUUID } from "node:crypto";
import { createBodyBudget } from "../body-budget.ts";
import { bareAddress } from "./mail.ts";
import { type Contact, type Store, subscriptionOf } from "./store.ts";

type Content = { subject: string; html: string | null; text: string | null };

/** A mail that Resend has accepted. */
export type Mail = {
  id: string;
  kind: "email" | "batch" | "broadcast";
  acceptedAt: number;
  scheduledAt: number | null;
  canceled: boolean;
  from: string;
  to: string[];
  cc: string[];
  bcc: string[];
  replyTo: string[];
  headers: Record<string, string>;
  tags: { name: string; value: string }[];
  idempotencyKey: string | null;
  broadcastId: string | null;
  contactId: string | null;
  /** What becomes of it once its time has come. */
  fate: "delivered" | "bounced" | "complained" | "suppressed";
  /** Broadcasts are put together when looked at, so a large one costs no memory. */
  content: () => Content;
};

export type MailDraft = Omit<Mail, "id" | "acceptedAt" | "canceled" | "fate" | "content"> & {
  content: Content | (() => Content);
  topicId: string | null;
};

export type Outbox = {
  /** The one way a mail gets out; `email.sent` and its like belong here once the stand-in posts webhooks. */
  accept: (draft: MailDraft) => Mail;
  mails: Map<string, Mail>;
  ofBroadcast: (broadcastId: string) => Mail[];
};

/** Up to this many characters of html and text are kept; older mails then show null. */
const BODY_BUDGET_SIZE = 256_000_000;

/** Resend's own test addresses: https://resend.com/docs/dashboard/emails/send-test-emails. */
const TEST_ADDRESS = /^(delivered|bounced|complained|suppressed)(?:\+[^@]*)?@resend\.dev$/i;

export function createOutbox(store: Store, now: () => number): Outbox {
  const mails = new Map<string, Mail>();
  const byBroadcast = new Map<string, Mail[]>();
  const bodies = createBodyBudget(BODY_BUDGET_SIZE);

  return {
    mails,
    ofBroadcast: (broadcastId) => byBroadcast.get(broadcastId) ?? [],
    accept({ topicId, content, ...draft }) {
      const fate = fateOf(store, draft.to, topicId);
      const mail: Mail = {
        ...draft,
        id: randomUUID(),
        acceptedAt: now(),
        canceled: false,
        fate,
        content: typeof content === "function" ? content : () => content,
      };
      if (typeof content === "object") {
        bodies.hold((content.html?.length ?? 0) + (content.text?.length ?? 0), () => {
          const { subject } = content;
          mail.content = () => ({ subject, html: null, text: null });
        });
      }
      mails.set(mail.id, mail);
      if (mail.broadcastId !== null) {
        const siblings = byBroadcast.get(mail.broadcastId) ?? [];
        siblings.push(mail);
        byBroadcast.set(mail.broadcastId, siblings);
      }
      return mail;
    },
  };
}

/** `last_event` of a mail, as `GET /emails/{id}` gives it. */
export function lastEventOf(mail: Mail, now: number) {
  if (mail.canceled) return "canceled";
  if (mail.scheduledAt !== null && mail.scheduledAt > now) return "scheduled";
  return mail.fate;
}

/** Whether the mail has left for its recipients: not waiting, not called back, not suppressed. */
export function hasLeft(mail: Mail, now: number): boolean {
  const lastEvent = lastEventOf(mail, now);
  return lastEvent !== "canceled" && lastEvent !== "scheduled" && lastEvent !== "suppressed";
}

/** Whether a contact gets what is sent under a topic, or under none. */
export function wants(store: Store, contact: Contact, topicId: string | null): boolean {
  if (contact.unsubscribed) return false;
  const topic = topicId === null ? undefined : store.topics.get(topicId);
  return topic === undefined || subscriptionOf(contact, topic) === "opt_in";
}

function fateOf(store: Store, to: string[], topicId: string | null): Mail["fate"] {
  const addresses = to.map((recipient) => bareAddress(recipient).toLowerCase());
  if (addresses.every((address) => isRefused(store, address, topicId))) return "suppressed";
  const test = TEST_ADDRESS.exec(addresses[0] ?? "")?.[1]?.toLowerCase();
  return test === "bounced" || test === "complained" || test === "suppressed" ? test : "delivered";
}

function isRefused(store: Store, address: string, topicId: string | null): boolean {
  if (store.suppressions.has(address)) return true;
  const contact = topicId === null ? undefined : store.contactsByEmail.get(address);
  return contact !== undefined && !wants(store, contact, topicId);
}
