import { z } from "zod";
import { AwsError } from "../json-protocol.ts";

/** AWS's page size when none is asked for, and the largest. */
const DEFAULT_PAGE = 100;
export const pageFields = {
  maxResults: z.int().min(0).max(1000).optional(),
  nextToken: z.string().optional(),
};

/** One page of `items`, and the token of the next. @throws AwsError InvalidToken */
export function pageOf<T>(
  items: readonly T[],
  request: { maxResults?: number | undefined; nextToken?: string | undefined },
): { page: T[]; nextToken?: string } {
  const offset = request.nextToken === undefined ? 0 : Number(Buffer.from(request.nextToken, "base64url").toString());
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new AwsError("InvalidToken", `Invalid Token: '${request.nextToken}'`);
  }
  const end = offset + (request.maxResults || DEFAULT_PAGE);
  const page = items.slice(offset, end);
  return end < items.length ? { page, nextToken: Buffer.from(String(end)).toString("base64url") } : { page };
}
