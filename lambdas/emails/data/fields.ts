import * as z from "zod";

/** Characters that turn the reading direction around: they can make a name read as something that it is not. */
const bidirectionalControls = /[\u202a-\u202e\u2066-\u2069]/g;

function toOneLine(value: string): string {
  return value
    .toWellFormed()
    .replaceAll(bidirectionalControls, "")
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim();
}

function toLines(value: string): string {
  return value
    .replaceAll(/\r\n?/g, "\n")
    .split("\n")
    .map(toOneLine)
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}

/** Text for a subject or a sentence, 1 to `max` characters; line breaks and control characters become spaces. */
export const line = (max: number) => z.string().overwrite(toOneLine).min(1).max(max);

/** Like `line`; `null` and the empty text count as missing. */
export const optionalLine = (max: number) => z.string().overwrite(toOneLine).max(max).nullish();

/** Text of several lines, 1 to `max` characters. */
export const lines = (max: number) => z.string().overwrite(toLines).min(1).max(max);

/** Like `lines`; `null` and the empty text count as missing. */
export const optionalLines = (max: number) => z.string().overwrite(toLines).max(max).nullish();

/** An id or slug that becomes one segment of a path. */
export const pathSegment = line(200);

/** An ISO 8601 date, or a time with its offset. */
export const isoTime = z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
  error: "must be an ISO date or time such as 2025-11-17T09:30:00Z",
});

/** A sum in whole units of its currency: 299, not 29900. */
export const amount = z.number().nonnegative();

/** ISO 4217; dollars when it is left out, which is what the original's mails showed. */
export const currency = z
  .string()
  .toUpperCase()
  .regex(/^[A-Z]{3}$/, { error: "must be a currency such as USD" })
  .default("USD");

/** Address of a page that may lie outside the brand's site, such as a checkout. */
export const pageUrl = z.url({ protocol: /^https$/, error: "must be an https URL" });

export const wholeNumber = z.int().nonnegative();
