import { createHash } from "node:crypto";

/** Errors that differ only in ids and numbers share a fingerprint, so that a thousand dead messages are one problem. */
export function fingerprint(error: Error): string {
  const shape = error.message
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, "<id>")
    .replace(/[0-9a-f]{16,}/gi, "<hash>")
    .replace(/\d+/g, "<n>");
  return createHash("sha256").update(`${error.name}: ${shape}`).digest("hex").slice(0, 12);
}
