import type { Brand } from "../../core/station.ts";
import type { AuthLinkData } from "../data/auth.ts";
import type { Mail, Transactional } from "../mail.ts";
import { authLinkMail } from "./auth-link.tsx";

/** Sent when somebody makes an account with an address, which is not believed until the link in here is used. */
export function authSignup(message: Transactional<AuthLinkData>, brand: Brand): Mail {
  const words = {
    content: "auth_signup",
    subject: `Confirm your address for ${brand.name}`,
    lead: `One click, and your ${brand.name} account is ready.`,
    button: "Confirm the address",
    otherwise: "If you did not make an account, ignore this mail: without the click there is none.",
    because: `an account was made on ${brand.name} with this address`,
  };
  return authLinkMail(message, words, brand);
}
