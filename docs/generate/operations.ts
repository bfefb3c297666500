import { z } from "zod";
import { contracts } from "../../lambdas/core/messages.ts";
import { authHookEvent } from "../../lambdas/emails/auth-mails.ts";
import { changedRow, discordTypes } from "../../lambdas/routes/discord-direct.ts";
import { contactWish } from "../../lambdas/routes/email-contact.ts";
import { jobActions, jobMailWishes } from "../../lambdas/routes/email-job-lifecycle.ts";
import { transactionalWish } from "../../lambdas/routes/email-transactional.ts";
import { welcomeWish } from "../../lambdas/routes/email-welcome.ts";
import { dismissal, notificationRow, notificationWish } from "../../lambdas/routes/notifications.ts";
import { queueSummary } from "../../lambdas/routes/process-queues.ts";
import { webhookBody } from "../../lambdas/routes/receive-webhook.ts";
import { runWish } from "../../lambdas/routes/start-run.ts";
import type { QueueState } from "../../lambdas/runtime/queue-inspector.ts";
import { type QueueName, queues } from "../../registry/queues.ts";
import type { RouteName, routes } from "../../registry/routes.ts";

/** What a method of a route takes and answers, beyond what its record says. */
export interface Operation {
  /** Parameters of its own, beyond `Idempotency-Key` and what its scheme asks for. */
  parameters?: readonly {
    name: string;
    in: "header" | "query";
    required: boolean;
    description: string;
    schema: Record<string, unknown>;
  }[];
  /** Schema of the JSON body; `form` is what a browser or a mailbox provider posts. */
  body?: { json: z.ZodType; required: boolean } | { form: z.ZodType; required: boolean };
  /** Answers of success by status; a text is the content of a page. */
  answers: Record<number, { description: string; json: z.ZodType } | { description: string; html: true }>;
}

const accepted = z.object({ success: z.literal(true), id: z.string(), correlation_id: z.string() });
const queued = { 202: { description: "Accepted: the work is on its queue or begun", json: accepted } };

const numberOrUnknown = z.int().nullable();
const [firstQueue, ...otherQueues] = Object.keys(queues).filter((name): name is QueueName => name in queues);
const queueState: z.ZodType<QueueState> = z.object({
  queue: z.enum([firstQueue ?? "subscription", ...otherQueues]),
  queue_length: numberOrUnknown,
  in_flight: numberOrUnknown,
  delayed: numberOrUnknown,
  dead_letters: numberOrUnknown,
  last_success_at: z.string().nullable(),
  error_streak: numberOrUnknown,
});

const [subscribe] = contracts.subscription.options;
const count = {
  answers: {
    200: { description: "Active subscribers, at most five minutes old", json: z.object({ count: z.int().min(0) }) },
  },
};
const startsRun = { body: { json: runWish, required: false }, answers: queued };
const webhook = { body: { json: webhookBody, required: true }, answers: queued };
const done = <S extends z.ZodRawShape>(shape: S) =>
  z.object({ success: z.literal(true), ...shape, correlation_id: z.string() });

/** An item or an array of them for a queue. */
const fillsQueue = (item: z.ZodType) => ({
  body: { json: z.union([item, z.array(item)]), required: false },
  answers: {
    200: { description: "Without a body: the queue's state", json: queueState },
    ...queued,
    207: {
      description: "Some items were refused, the rest is queued; from the thousandth on without a reason",
      json: z.object({
        success: z.literal(false),
        queued: z.int(),
        refused: z.array(z.object({ index: z.int(), reason: z.string().optional() })),
        correlation_id: z.string(),
      }),
    },
  },
});

const activeNotifications = {
  parameters: [
    {
      name: "dismissed",
      in: "query",
      required: false,
      description: "Ids to leave out, with commas between them, at most 50",
      schema: { type: "string" },
    },
  ],
  answers: {
    200: {
      description: "Most important and oldest first",
      json: done({ notifications: z.array(notificationRow) }),
    },
  },
} as const;

const page = (description: string) => ({ description, html: true as const });

/** By route and method; a route or a method without an entry does not compile. */
export const operations = {
  "email-subscribe": { POST: { body: { json: subscribe.omit({ kind: true }), required: true }, answers: queued } },
  "email-unsubscribe": {
    GET: { answers: { 200: page("A page with one button; nothing has changed") } },
    POST: {
      body: { form: z.object({ "List-Unsubscribe": z.literal("One-Click").optional() }), required: false },
      answers: { 202: page("A page that says so; the address is taken off within seconds") },
    },
  },
  "email-count": { GET: count, POST: count },
  health: {
    GET: {
      answers: {
        200: {
          description: "State of every queue; null is what could not be read",
          json: z.object({ status: z.enum(["ok", "degraded"]), queues: z.array(queueState) }),
        },
      },
    },
  },
  "email-digest": { POST: startsRun },
  "email-sequence": { POST: startsRun },
  "email-welcome": {
    POST: {
      body: { json: z.union([authHookEvent, welcomeWish]), required: true },
      answers: {
        200: {
          description: "Supabase Auth asks for a mail that the station does not know",
          json: done({ skipped: z.literal(true), reason: z.string(), action_type: z.string() }),
        },
        ...queued,
      },
    },
  },
  "email-transactional": { POST: { body: { json: transactionalWish, required: true }, answers: queued } },
  "email-contact": { POST: { body: { json: contactWish, required: true }, answers: queued } },
  "email-job-lifecycle": {
    POST: {
      parameters: [
        {
          name: "X-Email-Action",
          in: "header",
          required: true,
          description: "Which mail",
          schema: { type: "string", enum: [...jobActions] },
        },
      ],
      body: { json: z.union(jobMailWishes), required: true },
      answers: queued,
    },
  },
  "embedding-webhook": {
    POST: { body: { json: z.record(z.string(), z.unknown()), required: false }, answers: queued },
  },
  "changelog-webhook": { POST: webhook },
  webhooks: { POST: webhook },
  "active-notifications": { GET: activeNotifications, HEAD: activeNotifications },
  "dismiss-notifications": {
    POST: {
      body: { json: dismissal, required: true },
      answers: {
        200: {
          description: "Dismissed; `unknown` of the ids no longer exist",
          json: done({ dismissed: z.int(), unknown: z.int() }),
        },
      },
    },
  },
  "create-notification": {
    POST: {
      body: { json: notificationWish, required: true },
      answers: {
        200: {
          description: "Shown from now on",
          json: done({ id: z.string(), created: z.boolean(), notification: notificationRow }),
        },
      },
    },
  },
  "process-queues": {
    POST: { answers: { 200: { description: "How every queue fares", json: done({ summary: queueSummary }) } } },
  },
  pulse: { POST: fillsQueue(contracts.pulse) },
  revalidation: { POST: fillsQueue(contracts.revalidation) },
  "changelog-process": { POST: fillsQueue(contracts["changelog-process"]) },
  "changelog-notify": { POST: fillsQueue(contracts["changelog-notify"]) },
  "discord-jobs": { POST: fillsQueue(contracts["discord-jobs"]) },
  "discord-submissions": { POST: fillsQueue(contracts["discord-submissions"]) },
  "discord-direct": {
    POST: {
      parameters: [
        {
          name: "X-Discord-Notification-Type",
          in: "header",
          required: true,
          description: "What the row is",
          schema: { type: "string", enum: [...discordTypes] },
        },
      ],
      body: { json: changedRow, required: true },
      answers: queued,
    },
  },
  "embedding-process": { POST: fillsQueue(contracts["embedding-generation"]) },
  "image-generation-process": { POST: fillsQueue(contracts["image-generation"]) },
} satisfies { [N in RouteName]: Record<(typeof routes)[N]["methods"][number], Operation> };
