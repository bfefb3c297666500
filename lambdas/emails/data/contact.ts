import * as z from "zod";
import { emailAddress } from "../../core/email-address.ts";
import { isoTime, line, lines, pathSegment } from "./fields.ts";

/** What a visitor can write to us about, as the database's `contact_category` has it. */
export const contactCategory = z.enum(["bug", "feature", "partnership", "general", "other"]);

export const contactSubmissionAdminData = z.object({
  submissionId: pathSegment,
  name: line(100),
  email: emailAddress,
  category: contactCategory,
  message: lines(10_000),
  submittedAt: isoTime,
});
export type ContactSubmissionAdminData = z.infer<typeof contactSubmissionAdminData>;

export const contactSubmissionUserData = z.object({ name: line(100), category: contactCategory });
export type ContactSubmissionUserData = z.infer<typeof contactSubmissionUserData>;
