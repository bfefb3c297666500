import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { parseBody } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { findOr404, newestFirst, published, type Topic } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const nameSchema = z.string().min(1).max(50);
const descriptionSchema = z.string().max(200);
const visibilitySchema = z.enum(["public", "private"]);

const createSchema = z.object({
  name: nameSchema,
  default_subscription: z.enum(["opt_in", "opt_out"]),
  description: descriptionSchema.optional(),
  visibility: visibilitySchema.default("private"),
});

const updateSchema = z.object({
  name: nameSchema.optional(),
  description: descriptionSchema.optional(),
  visibility: visibilitySchema.optional(),
});

/** `/topics`: what a contact can opt in to or out of. */
export function topicRoutes({ store, now }: Team) {
  return new Hono<ResendEnv>()
    .post("/", async (c) => {
      const body = await parseBody(c, createSchema);
      const topic: Topic = {
        id: randomUUID(),
        name: body.name,
        description: body.description ?? null,
        defaultSubscription: body.default_subscription,
        visibility: body.visibility,
        createdAt: now(),
      };
      store.topics.set(topic.id, topic);
      return c.json({ object: "topic", id: topic.id }, 201);
    })
    .get("/", (c) => paginate(c, newestFirst(store.topics.values()), present))
    .get("/:id", (c) => {
      const topic = findOr404(store.topics, c.req.param("id"), "Topic");
      return c.json({ object: "topic", ...present(topic) });
    })
    .patch("/:id", async (c) => {
      const topic = findOr404(store.topics, c.req.param("id"), "Topic");
      const body = await parseBody(c, updateSchema);
      topic.name = body.name ?? topic.name;
      topic.description = body.description ?? topic.description;
      topic.visibility = body.visibility ?? topic.visibility;
      return c.json({ object: "topic", id: topic.id });
    })
    .delete("/:id", (c) => {
      const topic = findOr404(store.topics, c.req.param("id"), "Topic");
      store.topics.delete(topic.id);
      for (const contact of store.contacts.values()) contact.topics.delete(topic.id);
      return c.json({ object: "topic", id: topic.id, deleted: true });
    });
}

function present(topic: Topic) {
  return {
    id: topic.id,
    name: topic.name,
    description: topic.description,
    default_subscription: topic.defaultSubscription,
    visibility: topic.visibility,
    created_at: published(topic.createdAt),
  };
}
