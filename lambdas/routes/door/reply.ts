import type { Reply } from "./zone.ts";

export function jsonReply(statusCode: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return { statusCode, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** The work is on its queue or begun; `id` finds it again. */
export function acceptedReply(id: string, correlationId: string): Reply {
  return jsonReply(202, { success: true, id, correlation_id: correlationId });
}

/** A small page for people. `html` must be escaped already. */
export function pageReply(statusCode: number, html: string): Reply {
  return {
    statusCode,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    },
    body: html,
  };
}
