import type { Brand } from "../../core/station.ts";
import type { AuthLinkData } from "../data/auth.ts";
import type { Mail, Transactional } from "../mail.ts";
import { authLinkMail } from "./auth-link.tsx";

/** Sent when somebody wants to sign in without a password. */
export function authMagicLink(message: Transactional<AuthLinkData>, brand: Brand): Mail {
  const words = {
    content: "auth_magic_link",
    subject: `Sign in to ${brand.name}`,
    lead: "You asked for a link to sign in. Here it is.",
    button: "Sign in",
    otherwise: "If you did not ask for it, ignore this mail: nobody gets in without it.",
    because: `somebody wants to sign in to ${brand.name} with this address`,
  };
  return authLinkMail(message, words, brand);
}
