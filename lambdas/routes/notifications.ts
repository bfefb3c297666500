import * as z from "zod";
import { messageId } from "../core/messages.ts";
import type { SupabaseProvider } from "../providers/supabase.ts";
import { Problem } from "./door/problem.ts";
import { jsonReply } from "./door/reply.ts";
import { parsedBody } from "./door/request.ts";
import type { Route } from "./door/zone.ts";

interface NotificationParts {
  supabase: SupabaseProvider;
  now: () => number;
}

/** Ids in one request; the original silently used the first fifty. */
const maximumIds = 50;

export const notificationRow = z.object({
  id: z.string(),
  type: z.string(),
  priority: z.string(),
  active: z.boolean(),
  title: z.string(),
  message: z.string(),
  action_label: z.string().nullable(),
  action_href: z.string().nullable(),
  action_onclick: z.string().nullable(),
  icon: z.string().nullable(),
  expires_at: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
});

/** What the signed-in user has not dismissed, on any device; `?dismissed=` names more, such as what a page has just hidden. */
export const activeNotifications =
  ({ supabase, now }: NotificationParts): Route =>
  async (request, { userId }) => {
    const ids = (request.query.get("dismissed") ?? "").split(",").map((id) => id.trim());
    const dismissed = [...new Set(ids.filter(Boolean))].slice(0, maximumIds);
    const notifications = await supabase.call(
      "get_active_notifications",
      { p_user_id: signedIn(userId), p_dismissed_ids: dismissed, p_now: isoOf(now) },
      z.array(notificationRow),
    );
    return jsonReply(
      200,
      { success: true, notifications, correlation_id: request.correlationId },
      { "cache-control": "private, no-store" },
    );
  };

export const dismissal = z.object({
  notificationIds: z
    .array(z.string().trim().min(1).max(200))
    .transform((ids) => [...new Set(ids)])
    .pipe(z.array(z.string()).min(1).max(maximumIds)),
});

/** Remembers for the signed-in user what is not to be shown again. Ids that no longer exist are counted, not refused. */
export const dismissNotifications =
  ({ supabase, now }: NotificationParts): Route =>
  async (request, { userId }) => {
    const { notificationIds } = parsedBody(request, dismissal);
    const { dismissed, unknown } = await supabase.call(
      "dismiss_notifications",
      { p_user_id: signedIn(userId), p_ids: notificationIds, p_now: isoOf(now) },
      z.object({ dismissed: z.int(), unknown: z.int() }),
    );
    return jsonReply(200, { success: true, dismissed, unknown, correlation_id: request.correlationId });
  };

export const notificationWish = z.object({
  title: z.string().trim().min(5).max(100),
  message: z.string().trim().min(10).max(500),
  type: z.enum(["announcement", "feedback"]).default("announcement"),
  priority: z.enum(["high", "medium", "low"]).default("medium"),
  action_label: z.string().trim().min(1).max(50).nullish(),
  action_href: z
    .string()
    .max(2_048)
    .regex(/^(?:\/(?:[^/\\\s]\S*)?|https:\/\/[^/\s]+\S*)$/, {
      error: "must be a path of the site such as /trending, or an https URL",
    })
    .nullish(),
});

/** Shows a notification to every visitor from now on. */
export const createNotification =
  ({ supabase, now, invalidate }: NotificationParts & { invalidate: Invalidate }): Route =>
  async (request) => {
    const wish = parsedBody(request, notificationWish);
    const key = request.headers["idempotency-key"];
    const { notification, created } = await supabase.call(
      "insert_notification",
      { p: { ...wish, ...(key ? { id: messageId("notification", key) } : {}) }, p_now: isoOf(now) },
      z.object({ notification: notificationRow, created: z.boolean() }),
    );
    await invalidate(notification.id, request.correlationId);
    return jsonReply(200, {
      success: true,
      id: notification.id,
      created,
      notification,
      correlation_id: request.correlationId,
    });
  };

/** Has the site drop what it cached of the notifications. */
export type Invalidate = (notificationId: string, correlationId: string) => Promise<void>;

function signedIn(userId: string | undefined): string {
  if (userId) return userId;
  throw new Problem("unauthorized", "The token names no user.");
}

const isoOf = (now: () => number) => new Date(now()).toISOString();
