import type { z } from "zod";

/**
 * What the station can run of one CloudFormation resource type. `properties` is a strict zod object that sees plain
 * values (intrinsics are resolved before), so a property it does not name stops the boot; `ignoredProperties` are
 * taken out first, each with the reason why nothing on this machine needs it.
 */
export interface ResourceKind<P> {
  type: string;
  properties: z.ZodType<P>;
  ignoredProperties?: Record<string, string>;
}
