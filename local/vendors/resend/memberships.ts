import { Hono } from "hono";
import { z } from "zod";
import { requireKnown, topicChoicesSchema } from "./contacts.ts";
import { parseBody, ResendRefusal } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { findContact, findOr404, newestFirst, published, subscriptionOf } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

// The spec wants `{topics: […]}`, the SDK sends the bare array.
const choicesSchema = z.union([topicChoicesSchema, z.object({ topics: topicChoicesSchema })]);

/** `/contacts/{id}/segments` and `/contacts/{id}/topics`: where a contact belongs and what it wants. */
export function membershipRoutes({ store, now }: Team) {
  return new Hono<ResendEnv>()
    .get("/:id/segments", (c) => {
      const contact = findContact(store, c.req.param("id"));
      const segments = newestFirst(contact.segments).flatMap(([id, joinedAt]) => {
        const segment = store.segments.get(id);
        return segment ? [{ id, name: segment.name, created_at: published(joinedAt) }] : [];
      });
      return paginate(c, segments, (segment) => segment);
    })
    .post("/:id/segments/:segmentId", (c) => {
      const contact = findContact(store, c.req.param("id"));
      const segment = findOr404(store.segments, c.req.param("segmentId"), "Segment");
      if (!contact.segments.has(segment.id)) contact.segments.set(segment.id, now());
      return c.json({ object: "contact_segment", contact_id: contact.id, segment_id: segment.id });
    })
    .delete("/:id/segments/:segmentId", (c) => {
      const contact = findContact(store, c.req.param("id"));
      const segment = findOr404(store.segments, c.req.param("segmentId"), "Segment");
      // What Resend answers here is not documented; the refusal makes callers cope with either.
      if (!contact.segments.delete(segment.id)) throw new ResendRefusal("not_found", "Contact is not in the segment");
      return c.json({ object: "contact_segment", contact_id: contact.id, segment_id: segment.id, deleted: true });
    })
    .get("/:id/topics", (c) => {
      const contact = findContact(store, c.req.param("id"));
      return paginate(c, newestFirst(store.topics.values()), (topic) => ({
        id: topic.id,
        name: topic.name,
        description: topic.description,
        subscription: subscriptionOf(contact, topic),
      }));
    })
    .patch("/:id/topics", async (c) => {
      const contact = findContact(store, c.req.param("id"));
      const body = await parseBody(c, choicesSchema);
      const choices = Array.isArray(body) ? body : body.topics;
      for (const { id } of choices) requireKnown(store.topics, id, "topics");
      for (const { id, subscription } of choices) contact.topics.set(id, subscription);
      return c.json({ object: "contact_topics", contact_id: contact.id, topics: choices });
    });
}
