import * as z from "zod";
import { amount, currency, isoTime, line, optionalLines, pageUrl, pathSegment, wholeNumber } from "./fields.ts";

const job = { jobTitle: line(200), company: line(200) };
const ownJob = { ...job, jobId: pathSegment };
const plan = line(50);

export const jobSubmittedData = z.object(ownJob);
export type JobSubmittedData = z.infer<typeof jobSubmittedData>;

export const jobApprovedData = z.object({
  ...ownJob,
  plan,
  paymentAmount: amount,
  currency,
  paymentUrl: pageUrl.nullish(),
});
export type JobApprovedData = z.infer<typeof jobApprovedData>;

export const jobRejectedData = z.object({ ...ownJob, rejectionReason: optionalLines(2_000) });
export type JobRejectedData = z.infer<typeof jobRejectedData>;

export const jobExpiringData = z.object({
  ...ownJob,
  expiresAt: isoTime,
  daysRemaining: wholeNumber,
  renewalUrl: pageUrl.nullish(),
  renewalAmount: amount.nullish(),
  currency,
});
export type JobExpiringData = z.infer<typeof jobExpiringData>;

export const jobExpiredData = z.object({
  ...ownJob,
  expiredAt: isoTime,
  viewCount: wholeNumber.nullish(),
  clickCount: wholeNumber.nullish(),
  repostUrl: pageUrl.nullish(),
  repostAmount: amount.nullish(),
  currency,
});
export type JobExpiredData = z.infer<typeof jobExpiredData>;

export const jobPaymentConfirmedData = z.object({
  ...ownJob,
  jobSlug: pathSegment,
  plan,
  paymentAmount: amount,
  currency,
  paymentDate: isoTime,
  expiresAt: isoTime,
});
export type JobPaymentConfirmedData = z.infer<typeof jobPaymentConfirmedData>;

export const jobPostedData = z.object({ ...job, jobSlug: pathSegment });
export type JobPostedData = z.infer<typeof jobPostedData>;
