import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { parseBody, ResendRefusal } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { findOr404, newestFirst, type Property, type PropertyValue, published, type Store } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const valueSchema = z.union([z.string(), z.number()]);

const createSchema = z.object({
  key: z.string().regex(/^\w{1,50}$/, "Only alphanumeric characters and underscores, at most 50."),
  type: z.enum(["string", "number"]),
  fallback_value: valueSchema.optional(),
});

const updateSchema = z.object({ fallback_value: valueSchema });

/** `/contact-properties`: which custom fields contacts may have. */
export function propertyRoutes({ store, now }: Team) {
  return new Hono<ResendEnv>()
    .post("/", async (c) => {
      const body = await parseBody(c, createSchema);
      if ([...store.properties.values()].some((property) => property.key === body.key)) {
        throw new ResendRefusal("validation_error", `The property \`${body.key}\` already exists.`);
      }
      const property: Property = {
        id: randomUUID(),
        key: body.key,
        type: body.type,
        fallbackValue: body.fallback_value ?? null,
        createdAt: now(),
      };
      checkType(property, body.fallback_value);
      store.properties.set(property.id, property);
      return c.json({ object: "contact_property", id: property.id }, 201);
    })
    .get("/", (c) => paginate(c, newestFirst(store.properties.values()), present))
    .get("/:id", (c) => {
      const property = findOr404(store.properties, c.req.param("id"), "Contact property");
      return c.json({ object: "contact_property", ...present(property) });
    })
    .patch("/:id", async (c) => {
      const property = findOr404(store.properties, c.req.param("id"), "Contact property");
      const body = await parseBody(c, updateSchema);
      checkType(property, body.fallback_value);
      property.fallbackValue = body.fallback_value;
      return c.json({ object: "contact_property", id: property.id });
    })
    .delete("/:id", (c) => {
      const property = findOr404(store.properties, c.req.param("id"), "Contact property");
      store.properties.delete(property.id);
      for (const contact of store.contacts.values()) contact.properties.delete(property.key);
      return c.json({ object: "contact_property", id: property.id, deleted: true });
    });
}

/**
 * The values a contact is given, checked against the team's properties. That an undefined key is refused is stricter
 * than Resend documents.
 */
export function checkedProperties(
  store: Store,
  values: Record<string, PropertyValue | null>,
): [string, PropertyValue | null][] {
  const defined = new Map([...store.properties.values()].map((property) => [property.key, property]));
  return Object.entries(values).map(([key, value]) => {
    const property = defined.get(key);
    if (!property) {
      throw new ResendRefusal("validation_error", `Invalid \`properties\` field. There is no property \`${key}\`.`);
    }
    if (value !== null) checkType(property, value);
    return [key, value];
  });
}

function checkType(property: Property, value: PropertyValue | undefined): void {
  if (value === undefined || typeof value === property.type) return;
  throw new ResendRefusal(
    "validation_error",
    `The value of the property \`${property.key}\` must be a ${property.type}.`,
  );
}

function present({ id, key, type, fallbackValue, createdAt }: Property) {
  return { id, key, type, fallback_value: fallbackValue, created_at: published(createdAt) };
}
