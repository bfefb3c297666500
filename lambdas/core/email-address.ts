import * as z from "zod";

/**
 * Trimmed, lower-cased, at most 254 characters. Stricter than RFC 5322, and exactly as strict as the database's
 * `email_address`: what it refuses must be refused here, where the visitor still hears of it.
 */
export const emailAddress = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(
    /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/,
    {
      error: "must be an email address: a name, an @ and a domain with a dot in it",
    },
  )
  .refine((address) => !address.includes(".."), { error: "must not contain two dots in a row" });

/** The address of a sender: `hello@example.com` of `Example <hello@example.com>`. */
export const addressOfSender = (sender: string): string => /<([^<>]+)>$/.exec(sender)?.[1] ?? sender;
