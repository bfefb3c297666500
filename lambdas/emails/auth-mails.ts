import * as z from "zod";
import { accountChange } from "./data/auth.ts";
import type { TransactionalMessage } from "./transactional.ts";

/** Supabase leaves out what it has not, or sends it empty. */
const text = z.string().nullish();

/** What the "send email" hook posts, as far as mails need it. `email_action_type` is open: Supabase adds some over time. */
export const authHookEvent = z.object({
  user: z.object({ id: z.string().min(1), email: text, new_email: text }),
  email_data: z.object({
    email_action_type: z.string().min(1),
    token: text,
    token_hash: text,
    token_new: text,
    token_hash_new: text,
    redirect_to: text,
    old_email: text,
    provider: text,
    factor_type: text,
  }),
});
export type AuthHookEvent = z.infer<typeof authHookEvent>;

/**
 * Address that uses up a one-time token and sends the visitor on to `redirectTo`, as Supabase's guide to the hook
 * builds it. The payload's own `site_url` is no base for it: that is wherever the auth server believes it runs.
 */
export function verifyLink(
  supabaseUrl: string,
  { tokenHash, type, redirectTo }: { tokenHash: string; type: string; redirectTo?: string | null | undefined },
): string {
  const url = new URL(`${supabaseUrl}/auth/v1/verify`);
  url.searchParams.set("token", tokenHash);
  url.searchParams.set("type", type);
  // Without it Supabase goes to the site address of its own settings.
  if (redirectTo) url.searchParams.set("redirect_to", redirectTo);
  return url.href;
}

const linkTemplates = {
  signup: "auth-signup",
  magiclink: "auth-magic-link",
  recovery: "auth-recovery",
  invite: "auth-invite",
} as const;

type LinkAction = keyof typeof linkTemplates;
const isLinkAction = (type: string): type is LinkAction => Object.hasOwn(linkTemplates, type);

/** The mails an auth event asks for: one, two for a secure change of address, none for a type nobody knows here yet. */
export function authMails(event: AuthHookEvent, supabaseUrl: string): TransactionalMessage[] {
  const { user, email_data: auth } = event;
  const type = auth.email_action_type;
  if (type === "email_change") return emailChange(event, supabaseUrl);

  const change = accountChange.safeParse(type.replace(/_notification$/, ""));
  if (change.success) return accountChanged(event, change.data);

  const to = user.email;
  if (!to) return [];
  if (isLinkAction(type) && auth.token_hash) {
    const link = verifyLink(supabaseUrl, { tokenHash: auth.token_hash, type, redirectTo: auth.redirect_to });
    return [{ template: linkTemplates[type], to, data: { link, code: auth.token } }];
  }
  if ((type === "email" || type === "reauthentication") && auth.token) {
    const purpose = type === "email" ? "sign-in" : "reauthentication";
    return [{ template: "auth-email-otp", to, data: { code: auth.token, purpose } }];
  }
  return [];
}

/**
 * For backward compatibility Supabase crosses the names: `token_hash_new` belongs to the current address and `token`,
 * `token_hash` to the new one and `token_new`. With a single pair ("secure email change" off) it is the new address's.
 */
function emailChange({ user, email_data: auth }: AuthHookEvent, supabaseUrl: string): TransactionalMessage[] {
  const newEmail = user.new_email;
  if (!newEmail || !auth.token_hash) return [];
  const confirmation = (
    addressee: "current" | "new",
    to: string,
    tokenHash: string,
    code: string | null | undefined,
  ): TransactionalMessage => {
    const link = verifyLink(supabaseUrl, { tokenHash, type: "email_change", redirectTo: auth.redirect_to });
    return { template: "auth-email-change", to, data: { addressee, newEmail, link, code } };
  };
  const mails = [confirmation("new", newEmail, auth.token_hash, auth.token_new || auth.token)];
  if (auth.token_hash_new && user.email) {
    mails.push(confirmation("current", user.email, auth.token_hash_new, auth.token));
  }
  return mails;
}

function accountChanged(
  { user, email_data: auth }: AuthHookEvent,
  change: z.infer<typeof accountChange>,
): TransactionalMessage[] {
  // Whoever took an account over reads the new address: the warning belongs to the old one.
  const to = (change === "email_changed" ? auth.old_email : null) || user.email;
  if (!to) return [];
  const details: Partial<Record<typeof change, string | null | undefined>> = {
    email_changed: user.email,
    identity_linked: auth.provider,
    identity_unlinked: auth.provider,
    mfa_factor_enrolled: auth.factor_type,
    mfa_factor_unenrolled: auth.factor_type,
  };
  return [{ template: "auth-account-changed", to, data: { change, detail: details[change] } }];
}
