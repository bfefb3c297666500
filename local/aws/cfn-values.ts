import { z } from "zod";

/** A whole number of a template, which CloudFormation also takes as a string of digits. */
export const cfnInteger = z.union([z.int(), z.string().regex(/^\d+$/, "not a whole number").transform(Number)]);

/** A boolean of a template, which CloudFormation also takes as "true" or "false". */
export const cfnBoolean = z.union([z.boolean(), z.enum(["true", "false"]).transform((value) => value === "true")]);

/** An object of a template that CloudFormation also takes as a string of JSON. */
export function cfnJson<T>(schema: z.ZodType<T>) {
  return z.preprocess((value, context) => {
    if (typeof value !== "string") return value;
    try {
      return JSON.parse(value);
    } catch {
      context.addIssue("not JSON");
      return z.NEVER;
    }
  }, schema);
}
