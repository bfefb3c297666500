import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import { requireKnown } from "./contacts.ts";
import { parseBody, ResendRefusal } from "./errors.ts";
import { letterSchema, requireContent, scheduledAtSchema } from "./mail.ts";
import { lastEventOf, wants } from "./outbox.ts";
import { paginate } from "./pagination.ts";
import { fillIn, unsubscribeUrl, variablesOf } from "./personalise.ts";
import { type Broadcast, findOr404, newestFirst, published } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const detailsSchema = letterSchema.extend({
  name: z.string().optional(),
  segment_id: z.string(),
  topic_id: z.string().optional(),
  preview_text: z.string().optional(),
});

const createSchema = z.preprocess(
  // The older name of the same field.
  (value) => (isRecord(value) && "audience_id" in value ? { segment_id: value.audience_id, ...value } : value),
  detailsSchema.extend({ send: z.boolean().default(false), scheduled_at: scheduledAtSchema.optional() }),
);

const updateSchema = detailsSchema.partial();
const sendSchema = z.object({ scheduled_at: scheduledAtSchema.optional() });
const recipientsSchema = z.object({ type: z.string(), email: z.string().optional() });

/** `/broadcasts`: one mail to a whole segment. There is no idempotency key here: two creates are two broadcasts. */
export function broadcastRoutes(team: Team) {
  const { store, outbox, now } = team;

  return new Hono<ResendEnv>()
    .post("/", async (c) => {
      const body = await parseBody(c, createSchema);
      requireContent(body);
      const broadcast: Broadcast = {
        id: randomUUID(),
        name: body.name ?? "Untitled",
        segmentId: requireKnown(store.segments, body.segment_id, "segment_id"),
        topicId: body.topic_id === undefined ? null : requireKnown(store.topics, body.topic_id, "topic_id"),
        from: body.from,
        subject: body.subject,
        replyTo: body.reply_to ?? [],
        previewText: body.preview_text ?? null,
        html: body.html ?? null,
        text: body.text ?? null,
        status: "draft",
        createdAt: now(),
        scheduledAt: null,
        sentAt: null,
      };
      if (body.scheduled_at !== undefined && !body.send) {
        throw new ResendRefusal("validation_error", "`scheduled_at` can only be used if `send` is true.");
      }
      store.broadcasts.set(broadcast.id, broadcast);
      if (body.send) send(broadcast, body.scheduled_at);
      return c.json({ object: "broadcast", id: broadcast.id }, 201);
    })
    .get("/", (c) => paginate(c, newestFirst(store.broadcasts.values()), presentSummary, Number.POSITIVE_INFINITY))
    .get("/:id", (c) => c.json({ object: "broadcast", ...present(find(c.req.param("id"))) }))
    .patch("/:id", async (c) => {
      const broadcast = findDraft(c.req.param("id"), "updated");
      const body = await parseBody(c, updateSchema);
      if (body.segment_id !== undefined) requireKnown(store.segments, body.segment_id, "segment_id");
      if (body.topic_id !== undefined) requireKnown(store.topics, body.topic_id, "topic_id");
      broadcast.name = body.name ?? broadcast.name;
      broadcast.segmentId = body.segment_id ?? broadcast.segmentId;
      broadcast.topicId = body.topic_id ?? broadcast.topicId;
      broadcast.from = body.from ?? broadcast.from;
      broadcast.subject = body.subject ?? broadcast.subject;
      broadcast.replyTo = body.reply_to ?? broadcast.replyTo;
      broadcast.previewText = body.preview_text ?? broadcast.previewText;
      broadcast.html = body.html ?? broadcast.html;
      broadcast.text = body.text ?? broadcast.text;
      return c.json({ object: "broadcast", id: broadcast.id });
    })
    .delete("/:id", (c) => {
      const broadcast = find(c.req.param("id"));
      if (broadcast.status === "sent") {
        throw new ResendRefusal("validation_error", "A broadcast that was sent cannot be deleted.");
      }
      store.broadcasts.delete(broadcast.id);
      return c.json({ object: "broadcast", id: broadcast.id, deleted: true });
    })
    .post("/:id/send", async (c) => {
      const broadcast = findDraft(c.req.param("id"), "sent");
      send(broadcast, (await parseBody(c, sendSchema)).scheduled_at);
      return c.json({ id: broadcast.id });
    })
    .post("/:id/cancel", (c) => {
      const broadcast = find(c.req.param("id"));
      if (broadcast.status !== "queued") {
        throw new ResendRefusal("validation_error", "Only scheduled broadcasts can be canceled.");
      }
      broadcast.status = "draft";
      broadcast.scheduledAt = null;
      return c.json({ object: "broadcast", id: broadcast.id });
    })
    .get("/:id/recipients", (c) => {
      const { type, email } = recipientsSchema.parse(c.req.query());
      const recipients = outbox
        .ofBroadcast(find(c.req.param("id")).id)
        .filter((mail) => type === lastEventOf(mail, now()) || (type === "sent" && mail.fate !== "suppressed"))
        .map((mail) => ({ id: mail.id, contact_id: mail.contactId, email: mail.to[0] ?? "", count: 1 }))
        .filter((recipient) => email === undefined || recipient.email === email);
      return paginate(c, recipients, (recipient) => recipient);
    });

  function find(id: string): Broadcast {
    return findOr404(store.broadcasts, id, "Broadcast");
  }

  function findDraft(id: string, verb: string): Broadcast {
    const broadcast = find(id);
    if (broadcast.status === "draft") return broadcast;
    throw new ResendRefusal(
      "validation_error",
      `Only draft broadcasts can be ${verb}; this one is ${broadcast.status}.`,
    );
  }

  function send(broadcast: Broadcast, scheduledAt: number | undefined): void {
    broadcast.status = "queued";
    broadcast.scheduledAt = scheduledAt ?? null;
    sendDueBroadcasts(team);
  }
}

/** Sends what was scheduled and is due by the team's clock. There is no timer: the server calls this at each request. */
export function sendDueBroadcasts(team: Team): void {
  for (const broadcast of team.store.broadcasts.values()) {
    if (broadcast.status !== "queued" || (broadcast.scheduledAt ?? 0) > team.now()) continue;
    fanOut(team, broadcast);
    broadcast.status = "sent";
    broadcast.sentAt = team.now();
  }
}

function fanOut({ store, outbox }: Team, broadcast: Broadcast): void {
  for (const contact of store.contacts.values()) {
    if (!contact.segments.has(broadcast.segmentId) || !wants(store, contact, broadcast.topicId)) continue;
    const variables = variablesOf(store, broadcast, contact);
    outbox.accept({
      kind: "broadcast",
      from: broadcast.from,
      to: [contact.email],
      cc: [],
      bcc: [],
      replyTo: broadcast.replyTo,
      headers: {
        "List-Unsubscribe": `<${unsubscribeUrl(broadcast, contact)}>`,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      },
      tags: [],
      content: () => ({
        subject: fillIn(broadcast.subject, variables),
        html: broadcast.html === null ? null : fillIn(broadcast.html, variables),
        text: broadcast.text === null ? null : fillIn(broadcast.text, variables),
      }),
      scheduledAt: null,
      topicId: broadcast.topicId,
      idempotencyKey: null,
      broadcastId: broadcast.id,
      contactId: contact.id,
    });
  }
}

function presentSummary(broadcast: Broadcast) {
  return {
    id: broadcast.id,
    name: broadcast.name,
    audience_id: broadcast.segmentId,
    segment_id: broadcast.segmentId,
    status: broadcast.status,
    created_at: published(broadcast.createdAt),
    scheduled_at: broadcast.scheduledAt === null ? null : published(broadcast.scheduledAt),
    sent_at: broadcast.sentAt === null ? null : published(broadcast.sentAt),
    topic_id: broadcast.topicId,
  };
}

function present(broadcast: Broadcast) {
  const { from, subject, html, text } = broadcast;
  return {
    ...presentSummary(broadcast),
    from,
    subject,
    html,
    text,
    reply_to: broadcast.replyTo,
    preview_text: broadcast.previewText,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
