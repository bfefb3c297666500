import * as z from "zod";
import { type Envelope, makeEnvelope, type Payload } from "../core/messages.ts";
import type { MessageSender } from "../runtime/message-sender.ts";
import { signal } from "../runtime/metrics.ts";
import { Problem } from "./door/problem.ts";
import { acceptedReply } from "./door/reply.ts";
import { parsedBody, type RouteRequest } from "./door/request.ts";
import type { Route } from "./door/zone.ts";
import { requestKey } from "./send-mail.ts";

/** Values of X-Discord-Notification-Type. */
export const discordTypes = ["job", "submission", "content", "error", "changelog"] as const;
type DiscordType = (typeof discordTypes)[number];

/** A changed row. Only its key counts: the worker reads the row as it is by then. */
export const changedRow = z.object({
  type: z.enum(["INSERT", "UPDATE", "DELETE"]),
  record: z.looseObject({ id: z.uuid() }),
});
type ChangedRow = z.infer<typeof changedRow>;

/** Queues the announcement of one row, without waiting for the database to notice it. */
export const discordDirect =
  ({ sender, now }: { sender: MessageSender; now: () => number }): Route =>
  async (request) => {
    const type = typeOf(request);
    const row = parsedBody(request, changedRow);
    const { id: key } = row.record;
    const about = {
      businessKey: key,
      correlationId: request.correlationId,
      nowMs: now(),
      idempotency: { scope: "discord-direct", key: requestKey("discord-direct", request) },
    };
    const queued: Record<DiscordType, () => Promise<Envelope | undefined>> = {
      job: () => put("discord-jobs", { job_id: key, change: row.type }),
      submission: () => put("discord-submissions", { submission_id: key, change: only("INSERT", type, row) }),
      content: () => put("discord-submissions", { submission_id: key, change: only("UPDATE", type, row) }),
      changelog: () => put("changelog-notify", { entry_id: key }),
      // The original posted these to a channel, and a failed post reported itself again. Alarms do not.
      error: async () => {
        signal("error-reported", { webhookEventId: key });
        return undefined;
      },
    };
    const message = await queued[type]();
    return acceptedReply(message?.id ?? key, request.correlationId);

    async function put<Q extends "discord-jobs" | "discord-submissions" | "changelog-notify">(
      queue: Q,
      payload: Payload<Q>,
    ): Promise<Envelope> {
      const envelope = makeEnvelope(queue, payload, about);
      await sender.send(queue, envelope);
      return envelope;
    }
  };

function typeOf({ headers }: RouteRequest): DiscordType {
  const named = headers["x-discord-notification-type"];
  const type = discordTypes.find((each) => each === named);
  if (type) return type;
  throw new Problem(
    "invalid-request",
    `Say in X-Discord-Notification-Type what it is about: ${discordTypes.join(", ")}.`,
    { errors: [{ field: "X-Discord-Notification-Type", message: named ? "is not known" : "is missing" }] },
  );
}

function only<C extends ChangedRow["type"]>(change: C, type: DiscordType, row: ChangedRow): C {
  if (row.type === change) return change;
  throw new Problem("invalid-body", `A ${type} is announced on ${change}, not on ${row.type}.`, {
    errors: [{ field: "type", message: `must be ${change}` }],
  });
}
