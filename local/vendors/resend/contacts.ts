import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { parseBody, ResendRefusal } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { checkedProperties } from "./properties.ts";
import { type Contact, findContact, newestFirst, type PropertyValue, published, type Store } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const propertiesSchema = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));

const detailsSchema = z.object({
  first_name: z.string().nullish(),
  last_name: z.string().nullish(),
  unsubscribed: z.boolean().optional(),
  properties: propertiesSchema.optional(),
});

export const topicChoicesSchema = z.array(z.object({ id: z.string(), subscription: z.enum(["opt_in", "opt_out"]) }));

const createSchema = detailsSchema.extend({
  email: z.email(),
  // The spec has plain ids; the SDK's type and Resend's own pages have objects.
  segments: z.array(z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)])).default([]),
  topics: topicChoicesSchema.default([]),
});

/**
 * `/contacts`. Creating a contact whose address is known answers as if it were new, with the id of the old one, and
 * changes nothing (https://github.com/resend/resend-node/issues/494): who wants the new values must update.
 */
export function contactRoutes({ store, now }: Team) {
  return new Hono<ResendEnv>()
    .post("/", async (c) => {
      const body = await parseBody(c, createSchema);
      const known = store.contactsByEmail.get(body.email.toLowerCase());
      if (known) return c.json({ object: "contact", id: known.id }, 201);

      const contact: Contact = {
        id: randomUUID(),
        email: body.email,
        firstName: null,
        lastName: null,
        unsubscribed: false,
        createdAt: now(),
        properties: new Map(),
        segments: new Map(body.segments.map((id) => [requireKnown(store.segments, id, "segments"), now()])),
        topics: new Map(
          body.topics.map(({ id, subscription }) => [requireKnown(store.topics, id, "topics"), subscription]),
        ),
      };
      applyDetails(store, contact, body);
      store.contacts.set(contact.id, contact);
      store.contactsByEmail.set(contact.email.toLowerCase(), contact);
      return c.json({ object: "contact", id: contact.id }, 201);
    })
    .get("/", (c) => {
      const segmentId = c.req.query("segment_id");
      const contacts = newestFirst(store.contacts.values()).filter(
        (contact) => segmentId === undefined || contact.segments.has(segmentId),
      );
      return paginate(c, contacts, presentContact, Number.POSITIVE_INFINITY);
    })
    .get("/:id", (c) => {
      const contact = findContact(store, c.req.param("id"));
      return c.json({
        object: "contact",
        ...presentContact(contact),
        // A type beside each value: so says the SDK's type, the spec leaves it open.
        properties: Object.fromEntries(
          contact.properties.entries().map(([key, value]) => [key, { type: typeof value, value }]),
        ),
      });
    })
    .patch("/:id", async (c) => {
      const contact = findContact(store, c.req.param("id"));
      applyDetails(store, contact, await parseBody(c, detailsSchema));
      return c.json({ object: "contact", id: contact.id });
    })
    .delete("/:id", (c) => {
      const contact = findContact(store, c.req.param("id"));
      store.contacts.delete(contact.id);
      store.contactsByEmail.delete(contact.email.toLowerCase());
      // `id` is what the spec has, `contact` what the SDK's type has.
      return c.json({ object: "contact", id: contact.id, contact: contact.id, deleted: true });
    });
}

/** A contact as lists show it. */
export function presentContact(contact: Contact) {
  return {
    id: contact.id,
    email: contact.email,
    first_name: contact.firstName,
    last_name: contact.lastName,
    created_at: published(contact.createdAt),
    unsubscribed: contact.unsubscribed,
  };
}

/** Passes on an id found in a body; an unknown one is the body's fault, so 422 and not 404. */
export function requireKnown(items: Map<string, unknown>, id: string, field: string): string {
  if (items.has(id)) return id;
  throw new ResendRefusal("validation_error", `Invalid \`${field}\` field. There is no such id: ${id}`);
}

function applyDetails(store: Store, contact: Contact, details: z.infer<typeof detailsSchema>): void {
  const properties = checkedProperties(store, details.properties ?? {});
  if (details.first_name !== undefined) contact.firstName = details.first_name;
  if (details.last_name !== undefined) contact.lastName = details.last_name;
  contact.unsubscribed = details.unsubscribed ?? contact.unsubscribed;
  for (const [key, value] of properties) setProperty(contact, key, value);
}

function setProperty(contact: Contact, key: string, value: PropertyValue | null): void {
  if (value === null) contact.properties.delete(key);
  else contact.properties.set(key, value);
}
