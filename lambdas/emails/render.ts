import { renderToStaticMarkup } from "react-dom/server";
import type { Brand } from "../core/station.ts";
import type { Mail } from "./mail.ts";
import { plainTextOf } from "./plain-text.ts";
import { authAccountChanged } from "./templates/auth-account-changed.tsx";
import { authEmailChange } from "./templates/auth-email-change.tsx";
import { authEmailOtp } from "./templates/auth-email-otp.tsx";
import { authInvite } from "./templates/auth-invite.tsx";
import { authMagicLink } from "./templates/auth-magic-link.tsx";
import { authRecovery } from "./templates/auth-recovery.tsx";
import { authSignup } from "./templates/auth-signup.tsx";
import { collectionShared } from "./templates/collection-shared.tsx";
import { contactSubmissionAdmin } from "./templates/contact-submission-admin.tsx";
import { contactSubmissionUser } from "./templates/contact-submission-user.tsx";
import { jobApproved } from "./templates/job-approved.tsx";
import { jobExpired } from "./templates/job-expired.tsx";
import { jobExpiring } from "./templates/job-expiring.tsx";
import { jobPaymentConfirmed } from "./templates/job-payment-confirmed.tsx";
import { jobPosted } from "./templates/job-posted.tsx";
import { jobRejected } from "./templates/job-rejected.tsx";
import { jobSubmitted } from "./templates/job-submitted.tsx";
import { newsletterWelcome } from "./templates/newsletter-welcome.tsx";
import { onboardingCommunity } from "./templates/onboarding-community.tsx";
import { onboardingGettingStarted } from "./templates/onboarding-getting-started.tsx";
import { onboardingPowerTips } from "./templates/onboarding-power-tips.tsx";
import { onboardingStayEngaged } from "./templates/onboarding-stay-engaged.tsx";
import { signupOauth } from "./templates/signup-oauth.tsx";
import { weeklyDigest } from "./templates/weekly-digest.tsx";

/** Every mail the station can send. A new one is a file in `templates/` and a line here. */
const templates = {
  "newsletter-welcome": newsletterWelcome,
  "onboarding-getting-started": onboardingGettingStarted,
  "onboarding-power-tips": onboardingPowerTips,
  "onboarding-community": onboardingCommunity,
  "onboarding-stay-engaged": onboardingStayEngaged,
  "weekly-digest": weeklyDigest,
  "signup-oauth": signupOauth,
  "contact-submission-admin": contactSubmissionAdmin,
  "contact-submission-user": contactSubmissionUser,
  "job-submitted": jobSubmitted,
  "job-approved": jobApproved,
  "job-rejected": jobRejected,
  "job-expiring": jobExpiring,
  "job-expired": jobExpired,
  "job-payment-confirmed": jobPaymentConfirmed,
  "job-posted": jobPosted,
  "collection-shared": collectionShared,
  "auth-signup": authSignup,
  "auth-magic-link": authMagicLink,
  "auth-recovery": authRecovery,
  "auth-invite": authInvite,
  "auth-email-change": authEmailChange,
  "auth-email-otp": authEmailOtp,
  "auth-account-changed": authAccountChanged,
};

type Templates = typeof templates;

export type TemplateName = keyof Templates;

/** What the named template is rendered from. */
type MessageOf<Name extends TemplateName> = { [N in Name]: { template: N } & Parameters<Templates[N]>[0] }[Name];

/** A mail to render: `template` names it, the rest is what that template shows. */
export type EmailMessage = MessageOf<TemplateName>;

/** XHTML 1.0 Transitional keeps mail clients out of quirks mode; it is what React Email uses. */
const doctype =
  '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">';

const compose: { [N in TemplateName]: (message: MessageOf<N>, brand: Brand) => Mail } = templates;

/** Renders a mail's subject, HTML and text. The same message and brand give the same bytes, so a retry sends what was recorded. */
export async function renderEmail<Name extends TemplateName>(
  message: MessageOf<Name>,
  brand: Brand,
): Promise<{ subject: string; html: string; text: string }> {
  const { subject, document } = compose[message.template](message, brand);
  const html = renderToStaticMarkup(document);
  return { subject, html: `${doctype}${html}`, text: plainTextOf(html) };
}

const onboardingTemplates = {
  2: "onboarding-getting-started",
  3: "onboarding-power-tips",
  4: "onboarding-community",
  5: "onboarding-stay-engaged",
} as const;

/** The template of a step of the onboarding sequence. Step 1 is the welcome mail, sent when somebody subscribes. */
export function onboardingTemplateOfStep<Step extends keyof typeof onboardingTemplates>(step: Step) {
  return onboardingTemplates[step];
}
