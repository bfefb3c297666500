import * as z from "zod";
import { emailAddress } from "../../core/email-address.ts";
import { line, optionalLine } from "./fields.ts";

export const signupOauthData = z.object({ provider: z.enum(["google", "github", "discord"]).nullish() });
export type SignupOauthData = z.infer<typeof signupOauthData>;

/** A one-time link, and the code that does the same where the site asks for one. */
export const authLinkData = z.object({
  link: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }),
  code: optionalLine(20),
});
export type AuthLinkData = z.infer<typeof authLinkData>;

/** A change of address is confirmed at the address that is given up (`current`) and at the one that follows it (`new`). */
export const authEmailChangeData = authLinkData.extend({
  addressee: z.enum(["current", "new"]),
  newEmail: emailAddress,
});
export type AuthEmailChangeData = z.infer<typeof authEmailChangeData>;

export const authEmailOtpData = z.object({ code: line(20), purpose: z.enum(["sign-in", "reauthentication"]) });
export type AuthEmailOtpData = z.infer<typeof authEmailOtpData>;

/** What has been done to an account; the names are Supabase's without `_notification`. */
export const accountChange = z.enum([
  "password_changed",
  "email_changed",
  "phone_changed",
  "identity_linked",
  "identity_unlinked",
  "mfa_factor_enrolled",
  "mfa_factor_unenrolled",
]);

/** `detail` is what it was done with: the new address, the provider, the kind of factor. */
export const authAccountChangedData = z.object({ change: accountChange, detail: optionalLine(254) });
export type AuthAccountChangedData = z.infer<typeof authAccountChangedData>;
