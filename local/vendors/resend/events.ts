import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { parseBody, ResendRefusal } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { type EventDefinition, findOr404, newestFirst, published, type Store } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const schemaSchema = z.record(z.string(), z.enum(["string", "number", "boolean", "date"])).nullable();

const createSchema = z.object({
  name: z
    .string()
    .min(1)
    .refine((name) => !name.startsWith("resend:"), "The prefix `resend:` is reserved."),
  schema: schemaSchema.default(null),
});

const sendSchema = z.object({
  event: z.string().min(1),
  contact_id: z.uuid().optional(),
  email: z.email().optional(),
  payload: z.record(z.string(), z.unknown()).default({}),
});

/** `/events`: what automations at Resend react to. The automations themselves are not played. */
export function eventRoutes({ store, now }: Team) {
  return new Hono<ResendEnv>()
    .post("/send", async (c) => {
      const { event, contact_id, email, payload } = await parseBody(c, sendSchema);
      if ((contact_id === undefined) === (email === undefined)) {
        throw new ResendRefusal("validation_error", "Exactly one of `contact_id` or `email` must be provided.");
      }
      if (contact_id !== undefined) findOr404(store.contacts, contact_id, "Contact");
      const at = new Date(now()).toISOString();
      store.sentEvents.push({ at, event, contactId: contact_id ?? null, email: email ?? null, payload });
      return c.json({ object: "event", event }, 202);
    })
    .post("/", async (c) => {
      const { name, schema } = await parseBody(c, createSchema);
      if (store.events.has(name)) throw new ResendRefusal("validation_error", `The event \`${name}\` already exists.`);
      const event = { id: randomUUID(), name, schema, createdAt: now(), updatedAt: null };
      store.events.set(name, event);
      return c.json({ object: "event", id: event.id }, 201);
    })
    .get("/", (c) => paginate(c, newestFirst(store.events.values()), present))
    .get("/:identifier", (c) => c.json({ object: "event", ...present(find(store, c.req.param("identifier"))) }))
    .patch("/:identifier", async (c) => {
      const event = find(store, c.req.param("identifier"));
      event.schema = (await parseBody(c, z.object({ schema: schemaSchema }))).schema;
      event.updatedAt = now();
      return c.json({ object: "event", id: event.id });
    })
    .delete("/:identifier", (c) => {
      const event = find(store, c.req.param("identifier"));
      store.events.delete(event.name);
      return c.json({ object: "event", id: event.id, deleted: true });
    });
}

function find(store: Store, identifier: string): EventDefinition {
  const event = store.events.get(identifier) ?? store.events.values().find(({ id }) => id === identifier);
  if (!event) throw new ResendRefusal("not_found", "Event not found");
  return event;
}

function present({ id, name, schema, createdAt, updatedAt }: EventDefinition) {
  return {
    id,
    name,
    schema,
    created_at: published(createdAt),
    updated_at: updatedAt === null ? null : published(updatedAt),
  };
}
