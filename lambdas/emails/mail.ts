import { createContext, type ReactElement, useContext } from "react";
import type { Brand } from "../core/station.ts";
import type { Campaign } from "./links.ts";
import type { Theme } from "./theme.ts";

/** What a template makes of its message; the text part is derived from the rendered document. */
export interface Mail {
  subject: string;
  document: ReactElement;
}

/** Who a marketing mail goes to, and the link that ends it. */
export interface Subscriber {
  recipient: string;
  unsubscribeUrl: string;
}

/** What a mail to one person is made of when it answers something that person did; it has no unsubscribe link. */
export interface Transactional<Data> {
  to: string;
  data: Data;
}

/** What every block inside a layout needs to know of the mail around it. */
export interface MailContextValue {
  brand: Brand;
  theme: Theme;
  campaign: Campaign;
}

export const MailContext = createContext<MailContextValue | null>(null);

/** The mail a block is rendered in. Throws when the block stands outside a Layout. */
export function useMail(): MailContextValue {
  const mail = useContext(MailContext);
  if (mail === null) throw new Error("A block of a mail was rendered outside Layout: wrap the template in <Layout>");
  return mail;
}
