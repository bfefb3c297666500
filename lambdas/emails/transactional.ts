import * as z from "zod";
import { emailAddress } from "../core/email-address.ts";
import type { Senders } from "../core/station.ts";
import {
  authAccountChangedData,
  authEmailChangeData,
  authEmailOtpData,
  authLinkData,
  signupOauthData,
} from "./data/auth.ts";
import { collectionSharedData } from "./data/collection.ts";
import { contactSubmissionAdminData, contactSubmissionUserData } from "./data/contact.ts";
import {
  jobApprovedData,
  jobExpiredData,
  jobExpiringData,
  jobPaymentConfirmedData,
  jobPostedData,
  jobRejectedData,
  jobSubmittedData,
} from "./data/job.ts";

/** Supabase's own default (`MAILER_OTP_EXP`): after that the link or code in the mail opens nothing. */
const tokenLifeSeconds = 3_600;

interface Sending {
  from: keyof Senders;
  /** Value of the provider's tag `type`. */
  tag: string;
  /** The data holds a credential that lives so long: keep it out of listings, and do not send it later. */
  tokenLifeSeconds?: number;
}

function transactional<const N extends string, D extends z.ZodType>(template: N, data: D, sending: Sending) {
  return { ...sending, data, message: z.object({ template: z.literal(template), to: emailAddress, data }) };
}

/**
 * The mails that answer something one person did: the schema of what each shows, and how it is sent. No React in
 * here, so a route can check its input without carrying the templates.
 */
export const transactionalTemplates = {
  "signup-oauth": transactional("signup-oauth", signupOauthData, { from: "hello", tag: "auth-signup" }),
  "contact-submission-admin": transactional("contact-submission-admin", contactSubmissionAdminData, {
    from: "contact",
    tag: "contact-admin",
  }),
  "contact-submission-user": transactional("contact-submission-user", contactSubmissionUserData, {
    from: "hello",
    tag: "contact-confirmation",
  }),
  "job-submitted": transactional("job-submitted", jobSubmittedData, { from: "jobs", tag: "job-submitted" }),
  "job-approved": transactional("job-approved", jobApprovedData, { from: "jobs", tag: "job-approved" }),
  "job-rejected": transactional("job-rejected", jobRejectedData, { from: "jobs", tag: "job-rejected" }),
  "job-expiring": transactional("job-expiring", jobExpiringData, { from: "jobs", tag: "job-expiring" }),
  "job-expired": transactional("job-expired", jobExpiredData, { from: "jobs", tag: "job-expired" }),
  "job-payment-confirmed": transactional("job-payment-confirmed", jobPaymentConfirmedData, {
    from: "jobs",
    tag: "job-payment-confirmed",
  }),
  "job-posted": transactional("job-posted", jobPostedData, { from: "jobs", tag: "job-posted" }),
  "collection-shared": transactional("collection-shared", collectionSharedData, {
    from: "community",
    tag: "collection-shared",
  }),
  "auth-signup": transactional("auth-signup", authLinkData, {
    from: "hello",
    tag: "auth-confirmation",
    tokenLifeSeconds,
  }),
  "auth-magic-link": transactional("auth-magic-link", authLinkData, {
    from: "hello",
    tag: "auth-magic-link",
    tokenLifeSeconds,
  }),
  "auth-recovery": transactional("auth-recovery", authLinkData, {
    from: "hello",
    tag: "auth-recovery",
    tokenLifeSeconds,
  }),
  "auth-invite": transactional("auth-invite", authLinkData, { from: "hello", tag: "auth-invite", tokenLifeSeconds }),
  "auth-email-change": transactional("auth-email-change", authEmailChangeData, {
    from: "hello",
    tag: "auth-email-change",
    tokenLifeSeconds,
  }),
  "auth-email-otp": transactional("auth-email-otp", authEmailOtpData, {
    from: "hello",
    tag: "auth-email-otp",
    tokenLifeSeconds,
  }),
  "auth-account-changed": transactional("auth-account-changed", authAccountChangedData, {
    from: "hello",
    tag: "auth-account-changed",
  }),
};

export type TransactionalName = keyof typeof transactionalTemplates;

const { "signup-oauth": first, ...others } = transactionalTemplates;

/** One such mail, `{template, to, data}`; `renderEmail` takes it as it is. */
export const transactionalMessage = z.discriminatedUnion("template", [
  first.message,
  ...Object.values(others).map(({ message }) => message),
]);

export type TransactionalMessage = z.infer<typeof transactionalMessage>;
