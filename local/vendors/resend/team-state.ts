import { sendDueBroadcasts } from "./broadcasts.ts";
import { hasLeft, lastEventOf, type Mail } from "./outbox.ts";
import { type Contact, type Store, subscriptionOf } from "./store.ts";
import type { Team } from "./team.ts";

/** The parts of Resend's `GET /_state`. The outbox holds what has left for its recipients, oldest first. */
export function stateOf(team: Team): Record<string, () => unknown> {
  const { store, outbox, now } = team;
  const departed = () => {
    sendDueBroadcasts(team);
    return [...outbox.mails.values()].filter((mail) => hasLeft(mail, now()));
  };
  return {
    contacts: () => [...store.contacts.values()].map((contact) => showContact(store, contact)),
    segments: () => [...store.segments.values()].map(({ id, name }) => ({ id, name })),
    topics: () =>
      [...store.topics.values()].map(({ id, name, defaultSubscription }) => ({ id, name, defaultSubscription })),
    properties: () =>
      [...store.properties.values()].map(({ id, key, type, fallbackValue }) => ({ id, key, type, fallbackValue })),
    broadcasts: () => {
      sendDueBroadcasts(team);
      return [...store.broadcasts.values()].map((broadcast) => ({
        ...broadcast,
        recipients: outbox.ofBroadcast(broadcast.id).length,
      }));
    },
    suppressions: () => [...store.suppressions.values()],
    events: () => store.sentEvents,
    outbox: () => departed().map((mail) => showMail(mail, now())),
    counts: () => ({
      contacts: store.contacts.size,
      broadcasts: store.broadcasts.size,
      accepted: outbox.mails.size,
      outbox: departed().length,
      mailsToday: team.quota.usedToday(),
    }),
  };
}

function showContact(store: Store, contact: Contact) {
  return {
    id: contact.id,
    email: contact.email,
    firstName: contact.firstName,
    lastName: contact.lastName,
    unsubscribed: contact.unsubscribed,
    properties: Object.fromEntries(contact.properties),
    segments: [...contact.segments.keys()],
    topics: [...store.topics.values()].map((topic) => ({ id: topic.id, subscription: subscriptionOf(contact, topic) })),
  };
}

function showMail(mail: Mail, now: number) {
  const { id, to, from, cc, bcc, replyTo, headers, tags, kind, idempotencyKey, broadcastId } = mail;
  return {
    id,
    at: new Date(mail.scheduledAt ?? mail.acceptedAt).toISOString(),
    to,
    from,
    cc,
    bcc,
    replyTo,
    ...mail.content(),
    headers,
    tags,
    kind,
    idempotencyKey,
    ...(broadcastId === null ? {} : { broadcastId }),
    lastEvent: lastEventOf(mail, now),
  };
}
