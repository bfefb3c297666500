import { z } from "zod";

/** A CloudFormation Integer: the template may hold `30` or `"30"`. */
export const cfnInteger = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);

/** A CloudFormation Double: the template may hold `0.5` or `"0.5"`. */
export const cfnNumber = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .transform(Number),
]);

/** A CloudFormation Boolean: the template may hold `true` or `"true"`. */
export const cfnBoolean = z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]);

/** A CloudFormation String: numbers and booleans are accepted and become text, as the service does. */
export const cfnString = z.union([z.string(), z.union([z.number(), z.boolean()]).transform(String)]);

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
