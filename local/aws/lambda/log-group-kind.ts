import { z } from "zod";
import { cfnInteger } from "../../assembly/cfn-values.ts";
import type { ResourceKind } from "../../assembly/resource-kind.ts";

const logGroupProperties = z.strictObject({
  LogGroupName: z.string().optional(),
  /** Days; nothing is deleted here, since the station's log lives only as long as the station. */
  RetentionInDays: cfnInteger.optional(),
});

export type LogGroupProperties = z.infer<typeof logGroupProperties>;

export const logGroupKind = {
  type: "AWS::Logs::LogGroup",
  properties: logGroupProperties,
  ignoredProperties: {
    DataProtectionPolicy: "masking is done by CloudWatch, which is not here",
    KmsKeyId: "nothing is encrypted at rest here",
    LogGroupClass: "a price class",
    Tags: "labels for people and bills",
  },
} satisfies ResourceKind<LogGroupProperties>;
