import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { presentContact } from "./contacts.ts";
import { parseBody } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { findOr404, newestFirst, published, type Segment } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const nameSchema = z.object({ name: z.string().min(1) });

/** `/segments`: named groups of contacts. */
export function segmentRoutes({ store, now }: Team) {
  return new Hono<ResendEnv>()
    .post("/", async (c) => {
      const { name } = await parseBody(c, nameSchema);
      const segment: Segment = { id: randomUUID(), name, createdAt: now() };
      store.segments.set(segment.id, segment);
      return c.json({ object: "segment", id: segment.id, name }, 201);
    })
    .get("/", (c) => paginate(c, newestFirst(store.segments.values()), present, Number.POSITIVE_INFINITY))
    .get("/:id", (c) => {
      const segment = findOr404(store.segments, c.req.param("id"), "Segment");
      return c.json({ object: "segment", ...present(segment) });
    })
    .patch("/:id", async (c) => {
      const segment = findOr404(store.segments, c.req.param("id"), "Segment");
      segment.name = (await parseBody(c, nameSchema)).name;
      return c.json({ object: "segment", id: segment.id });
    })
    .delete("/:id", (c) => {
      const segment = findOr404(store.segments, c.req.param("id"), "Segment");
      store.segments.delete(segment.id);
      for (const contact of store.contacts.values()) contact.segments.delete(segment.id);
      return c.json({ object: "segment", id: segment.id, deleted: true });
    })
    .get("/:id/contacts", (c) => {
      const segment = findOr404(store.segments, c.req.param("id"), "Segment");
      const members = newestFirst(store.contacts.values()).filter((contact) => contact.segments.has(segment.id));
      return paginate(c, members, presentContact, Number.POSITIVE_INFINITY);
    });
}

function present({ id, name, createdAt }: Segment) {
  return { id, name, created_at: published(createdAt) };
}
