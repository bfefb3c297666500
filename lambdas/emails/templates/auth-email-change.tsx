import type { Brand } from "../../core/station.ts";
import type { AuthEmailChangeData } from "../data/auth.ts";
import type { Mail, Transactional } from "../mail.ts";
import { authLinkMail } from "./auth-link.tsx";

/** Sent to the address an account is to get, and, for a secure change, to the one it has. */
export function authEmailChange(message: Transactional<AuthEmailChangeData>, brand: Brand): Mail {
  const { addressee, newEmail } = message.data;
  const words = {
    new: {
      content: "auth_email_change_new",
      subject: `Confirm your new address for ${brand.name}`,
      lead: "Your account is to use this address from now on. Confirm that it is yours.",
      button: "Confirm the new address",
      otherwise: "If you have no such account, ignore this mail: without the click nothing changes.",
      because: `it is to become the address of an account on ${brand.name}`,
    },
    current: {
      content: "auth_email_change_current",
      subject: `Confirm the change of your address on ${brand.name}`,
      lead: `Your account is to use ${newEmail} instead of this address. Confirm that you want that.`,
      button: "Confirm the change",
      otherwise: "If you do not want it, do not click, and change your password: somebody else may know it.",
      because: `it is the address of an account on ${brand.name}`,
    },
  };
  return authLinkMail(message, words[addressee], brand);
}
