import type { Brand } from "../../core/station.ts";
import type { AuthLinkData } from "../data/auth.ts";
import type { Mail, Transactional } from "../mail.ts";
import { authLinkMail } from "./auth-link.tsx";

/** Sent when somebody has forgotten the password. */
export function authRecovery(message: Transactional<AuthLinkData>, brand: Brand): Mail {
  const words = {
    content: "auth_recovery",
    subject: `Reset your ${brand.name} password`,
    lead: "You asked to set a new password. Here is the way to it.",
    button: "Set a new password",
    otherwise: "If you did not ask for it, ignore this mail: your password stays as it is.",
    because: `somebody wants to reset the ${brand.name} password of this address`,
  };
  return authLinkMail(message, words, brand);
}
