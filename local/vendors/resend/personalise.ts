import type { Broadcast, Contact, Store } from "./store.ts";

const VARIABLE = /\{\{\{\s*([\w.]+)\s*(?:\|([^{}]*))?\}\}\}/g;

/** Values of the variables a broadcast may hold, by name; fixed at the time of sending. */
export type Variables = Map<string, string>;

/**
 * What `{{{contact.first_name|there}}}` and its like stand for with this contact. The older spelling,
 * `{{{FIRST_NAME}}}`, is still in Resend's published examples.
 */
export function variablesOf(store: Store, broadcast: Broadcast, contact: Contact): Variables {
  const variables: Variables = new Map([
    ["RESEND_UNSUBSCRIBE_URL", unsubscribeUrl(broadcast, contact)],
    ["contact.email", contact.email],
    ["EMAIL", contact.email],
  ]);
  for (const [name, value] of [
    ["first_name", contact.firstName],
    ["last_name", contact.lastName],
  ] as const) {
    if (!value) continue;
    variables.set(`contact.${name}`, value);
    variables.set(name.toUpperCase(), value);
  }
  for (const { key, fallbackValue } of store.properties.values()) {
    const value = contact.properties.get(key) ?? fallbackValue;
    if (value !== null) variables.set(`contact.${key}`, String(value));
  }
  return variables;
}

/** Fills in the variables; one without a value gives its fallback, one without either nothing. */
export function fillIn(template: string, variables: Variables): string {
  return template.replace(VARIABLE, (_, name: string, fallback?: string) => variables.get(name) ?? fallback ?? "");
}

export function unsubscribeUrl(broadcast: Broadcast, contact: Contact): string {
  return `https://unsubscribe.resend.com/${broadcast.id}/${contact.id}`;
}
