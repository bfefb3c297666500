import { randomUUID } from "node:crypto";
import { ResendRefusal } from "./errors.ts";

export type Subscription = "opt_in" | "opt_out";
export type PropertyValue = string | number;

export type Contact = {
  id: string;
  email: string;
  firstName: string | null;
  lastName: string | null;
  unsubscribed: boolean;
  createdAt: number;
  properties: Map<string, PropertyValue>;
  /** Segment id to the time of joining. */
  segments: Map<string, number>;
  /** Only what was chosen; the topic's default holds for the rest. */
  topics: Map<string, Subscription>;
};

export type Segment = { id: string; name: string; createdAt: number };

export type Topic = {
  id: string;
  name: string;
  description: string | null;
  defaultSubscription: Subscription;
  visibility: "public" | "private";
  createdAt: number;
};

export type Property = {
  id: string;
  key: string;
  type: "string" | "number";
  fallbackValue: PropertyValue | null;
  createdAt: number;
};

export type Broadcast = {
  id: string;
  name: string;
  segmentId: string;
  topicId: string | null;
  from: string;
  subject: string;
  replyTo: string[];
  previewText: string | null;
  html: string | null;
  text: string | null;
  /** `queued` while `scheduledAt` lies ahead. */
  status: "draft" | "queued" | "sent";
  createdAt: number;
  scheduledAt: number | null;
  sentAt: number | null;
};

export type Suppression = {
  id: string;
  email: string;
  origin: "bounce" | "complaint" | "manual";
  sourceId: string | null;
  createdAt: number;
};

export type EventDefinition = {
  id: string;
  name: string;
  schema: unknown;
  createdAt: number;
  updatedAt: number | null;
};
export type SentEvent = { at: string; event: string; contactId: string | null; email: string | null; payload: unknown };

/** What one Resend team holds, by id except where said; nothing is written to disk. */
export type Store = {
  contacts: Map<string, Contact>;
  /** By address in lower case. */
  contactsByEmail: Map<string, Contact>;
  segments: Map<string, Segment>;
  topics: Map<string, Topic>;
  properties: Map<string, Property>;
  broadcasts: Map<string, Broadcast>;
  /** By address in lower case. */
  suppressions: Map<string, Suppression>;
  /** By name. */
  events: Map<string, EventDefinition>;
  sentEvents: SentEvent[];
};

/** What the team already has when the stand-in starts. */
export type ResendSeed = {
  segments?: { id: string; name: string }[];
  topics?: { id: string; name: string; defaultSubscription: Subscription }[];
  properties?: { key: string; type: "string" | "number"; fallbackValue?: PropertyValue }[];
};

export function createStore(seed: ResendSeed, now: number): Store {
  return {
    contacts: new Map(),
    contactsByEmail: new Map(),
    segments: byId((seed.segments ?? []).map((segment) => ({ ...segment, createdAt: now }))),
    topics: byId(
      (seed.topics ?? []).map((topic) => ({
        ...topic,
        description: null,
        visibility: "public" as const,
        createdAt: now,
      })),
    ),
    properties: byId(
      (seed.properties ?? []).map(({ key, type, fallbackValue }) => ({
        id: randomUUID(),
        key,
        type,
        fallbackValue: fallbackValue ?? null,
        createdAt: now,
      })),
    ),
    broadcasts: new Map(),
    suppressions: new Map(),
    events: new Map(),
    sentEvents: [],
  };
}

function byId<Item extends { id: string }>(items: Item[]): Map<string, Item> {
  return new Map(items.map((item) => [item.id, item]));
}

/** The item a path names; otherwise Resend's 404. */
export function findOr404<Item>(items: Map<string, Item>, id: string, kind: string): Item {
  const item = items.get(id);
  if (!item) throw new ResendRefusal("not_found", `${kind} not found`);
  return item;
}

/** A contact by its id or its address. */
export function findContact(store: Store, idOrEmail: string): Contact {
  const contact = store.contacts.get(idOrEmail) ?? store.contactsByEmail.get(idOrEmail.toLowerCase());
  if (!contact) throw new ResendRefusal("not_found", "Contact not found");
  return contact;
}

export function subscriptionOf(contact: Contact, topic: Topic): Subscription {
  return contact.topics.get(topic.id) ?? topic.defaultSubscription;
}

/** Lists are newest first. */
export function newestFirst<Item>(items: Iterable<Item>): Item[] {
  return [...items].reverse();
}

/** Resend writes times as Postgres does: `2023-10-06 22:59:55.977+00`. */
export function published(at: number): string {
  return new Date(at).toISOString().replace("T", " ").replace("Z", "+00");
}
