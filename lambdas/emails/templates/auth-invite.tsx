import type { Brand } from "../../core/station.ts";
import type { AuthLinkData } from "../data/auth.ts";
import type { Mail, Transactional } from "../mail.ts";
import { authLinkMail } from "./auth-link.tsx";

/** Sent when somebody with the rights to do so invites an address to make an account. */
export function authInvite(message: Transactional<AuthLinkData>, brand: Brand): Mail {
  const words = {
    content: "auth_invite",
    subject: `You are invited to ${brand.name}`,
    lead: `Accept the invitation, and you have an account on ${brand.name}.`,
    button: "Accept the invitation",
    otherwise: "If you do not want an account, ignore this mail: none is made without the click.",
    because: `it was invited to ${brand.name}`,
  };
  return authLinkMail(message, words, brand);
}
