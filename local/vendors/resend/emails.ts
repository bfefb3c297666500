import { type Context, Hono } from "hono";
import { z } from "zod";
import { requireKnown } from "./contacts.ts";
import { parseBody, parseValue, ResendRefusal, readJson } from "./errors.ts";
import { type MailBody, parseMail, scheduledAtSchema } from "./mail.ts";
import { lastEventOf, type Mail, type MailDraft } from "./outbox.ts";
import { paginate } from "./pagination.ts";
import { findOr404, newestFirst, published } from "./store.ts";
import type { ResendEnv, Team } from "./team.ts";

const BATCH_MAXIMUM = 100;
const batchSchema = z
  .array(z.unknown(), "The `request.body` field must be an `array`.")
  .min(1)
  .max(BATCH_MAXIMUM, `At most ${BATCH_MAXIMUM} emails per batch.`);

/** `/emails` and `/emails/batch`. */
export function emailRoutes(team: Team) {
  const { store, outbox, quota, idempotency, now } = team;

  return new Hono<ResendEnv>()
    .post("/", (c) =>
      idempotency.once(c, async () => {
        await c.env.work();
        const body = readMail(await readJson(c));
        quota.spend(1);
        return c.json({ id: outbox.accept(draftOf(body, "email", c)).id });
      }),
    )
    .post("/batch", (c) =>
      idempotency.once(c, async () => {
        await c.env.work();
        return sendBatch(c, parseValue(await readJson(c), batchSchema));
      }),
    )
    .get("/", (c) => {
      const mails = newestFirst(outbox.mails.values()).filter((mail) => mail.kind !== "broadcast");
      return paginate(c, mails, (mail) => present(mail, now()));
    })
    .get("/:id", (c) => {
      const mail = findOr404(outbox.mails, c.req.param("id"), "Email");
      const { html, text } = mail.content();
      return c.json({ object: "email", ...present(mail, now()), html, text });
    })
    .patch("/:id", async (c) => {
      const mail = findScheduled(c.req.param("id"));
      mail.scheduledAt = (await parseBody(c, z.object({ scheduled_at: scheduledAtSchema }))).scheduled_at;
      return c.json({ object: "email", id: mail.id });
    })
    .post("/:id/cancel", (c) => {
      const mail = findScheduled(c.req.param("id"));
      mail.canceled = true;
      return c.json({ object: "email", id: mail.id });
    });

  function findScheduled(id: string): Mail {
    const mail = findOr404(outbox.mails, id, "Email");
    if (lastEventOf(mail, now()) === "scheduled") return mail;
    throw new ResendRefusal("validation_error", "Only scheduled emails can be changed or canceled.");
  }

  function sendBatch(c: Context<ResendEnv>, items: unknown[]): Response {
    const permissive = c.req.header("x-batch-validation") === "permissive";
    const bodies: MailBody[] = [];
    const errors: { index: number; message: string }[] = [];
    for (const [index, item] of items.entries()) {
      try {
        bodies.push(readBatchMail(item));
      } catch (error) {
        // Strict mode says what is wrong but not with which mail: https://github.com/resend/resend-node/issues/461.
        if (!permissive || !(error instanceof ResendRefusal)) throw error;
        errors.push({ index, message: error.message });
      }
    }
    quota.spend(bodies.length);
    const data = bodies.map((body) => ({ id: outbox.accept(draftOf(body, "batch", c)).id }));
    return c.json(permissive ? { data, errors } : { data });
  }

  function present(mail: Mail, at: number) {
    return {
      id: mail.id,
      to: mail.to,
      from: mail.from,
      created_at: published(mail.acceptedAt),
      subject: mail.content().subject,
      cc: mail.cc,
      bcc: mail.bcc,
      reply_to: mail.replyTo,
      last_event: lastEventOf(mail, at),
    };
  }

  function readMail(value: unknown): MailBody {
    const body = parseMail(value);
    if (body.topic_id !== undefined) requireKnown(store.topics, body.topic_id, "topic_id");
    return body;
  }

  function readBatchMail(value: unknown): MailBody {
    const body = readMail(value);
    if (body.attachments === undefined) return body;
    throw new ResendRefusal("validation_error", "The `attachments` field is not supported in batches.");
  }
}

function draftOf(body: MailBody, kind: "email" | "batch", c: Context): MailDraft {
  return {
    kind,
    from: body.from,
    to: body.to,
    cc: body.cc ?? [],
    bcc: body.bcc ?? [],
    replyTo: body.reply_to ?? [],
    headers: body.headers,
    tags: body.tags,
    content: { subject: body.subject, html: body.html ?? null, text: body.text ?? null },
    scheduledAt: body.scheduled_at ?? null,
    topicId: body.topic_id ?? null,
    idempotencyKey: c.req.header("idempotency-key") ?? null,
    broadcastId: null,
    contactId: null,
  };
}
