import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { parseBody, ResendRefusal } from "./errors.ts";
import { paginate } from "./pagination.ts";
import { newestFirst, published, type Store, type Suppression } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const addressesSchema = z.array(z.email()).min(1).max(100);
const removalSchema = z.object({
  emails: z.array(z.string()).min(1).max(100).optional(),
  ids: z.array(z.string()).min(1).max(100).optional(),
});

/** `/suppressions`: addresses that get no mail whatever is sent to them. */
export function suppressionRoutes({ store, now }: Team) {
  const suppressByHand = (email: string) => suppress(store, { email, origin: "manual", sourceId: null }, now());

  return new Hono<ResendEnv>()
    .post("/", async (c) => {
      const { email } = await parseBody(c, z.object({ email: z.email() }));
      return c.json({ object: "suppression", id: suppressByHand(email).id }, 201);
    })
    .post("/batch/add", async (c) => {
      const { emails } = await parseBody(c, z.object({ emails: addressesSchema }));
      return c.json({ data: emails.map((email) => ({ object: "suppression", id: suppressByHand(email).id })) }, 201);
    })
    .post("/batch/remove", async (c) => {
      const { emails, ids } = await parseBody(c, removalSchema);
      if ((emails === undefined) === (ids === undefined)) {
        throw new ResendRefusal("validation_error", "Provide either `emails` or `ids`, but not both.");
      }
      const removed = (emails ?? ids ?? []).flatMap((idOrEmail) => lift(store, idOrEmail) ?? []);
      return c.json({ data: removed.map(({ id }) => ({ object: "suppression", id, deleted: true })) });
    })
    .get("/", (c) => {
      const origin = c.req.query("origin");
      const listed = newestFirst(store.suppressions.values()).filter(
        (suppression) => origin === undefined || suppression.origin === origin,
      );
      return paginate(c, listed, present);
    })
    .get("/:idOrEmail", (c) => {
      const suppression = find(store, c.req.param("idOrEmail"));
      if (!suppression) throw new ResendRefusal("not_found", "Suppression not found");
      return c.json({ object: "suppression", ...present(suppression) });
    })
    .delete("/:idOrEmail", (c) => {
      const removed = lift(store, c.req.param("idOrEmail"));
      if (!removed) throw new ResendRefusal("not_found", "Suppression not found");
      return c.json({ object: "suppression", id: removed.id, deleted: true });
    });
}

/** Adds an address to the list; one that is on it already keeps its entry. */
export function suppress(
  store: Store,
  entry: Pick<Suppression, "email" | "origin" | "sourceId">,
  now: number,
): Suppression {
  const email = entry.email.toLowerCase();
  const known = store.suppressions.get(email);
  if (known) return known;
  const suppression: Suppression = { ...entry, id: randomUUID(), email, createdAt: now };
  store.suppressions.set(email, suppression);
  return suppression;
}

function find(store: Store, idOrEmail: string): Suppression | undefined {
  return (
    store.suppressions.get(idOrEmail.toLowerCase()) ??
    store.suppressions.values().find((suppression) => suppression.id === idOrEmail)
  );
}

function lift(store: Store, idOrEmail: string): Suppression | undefined {
  const suppression = find(store, idOrEmail);
  if (suppression) store.suppressions.delete(suppression.email);
  return suppression;
}

function present({ id, email, origin, sourceId, createdAt }: Suppression) {
  return { id, email, origin, source_id: sourceId, created_at: published(createdAt) };
}
