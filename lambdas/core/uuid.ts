import { createHash } from "node:crypto";

/** A UUID (version 8) that depends on nothing but what it is made of. */
export function uuidOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  // Each part with its length, so that "ab" and "c" differ from "a" and "bc".
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}\n`).update(part);
  const hex = hash.digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
