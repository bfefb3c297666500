import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AwsSolutionsChecks } from "cdk-nag";
import { expect, it } from "vitest";
import { bundleFunctions } from "../../infra/bundle.ts";
import { buildApp } from "../../infra/station-app.ts";
import { resolveStation } from "../../lambdas/core/station.ts";
import { config } from "../../station.config.ts";

/** A finding of cdk-nag that we live with: exactly where, and why. */
interface AcceptedFinding {
  rule: string | RegExp;
  constructs: RegExp;
  reason: string;
}

const accepted: AcceptedFinding[] = [
  {
    rule: "AwsSolutions-APIG4",
    constructs: /^flux-station\/api\/http\/(DefaultRoute|\w+--[\w-]+)\/Resource$/,
    reason:
      "Callers are let in by the route's record in lambdas/routes/door; a gateway authorizer never sees the body.",
  },
  {
    rule: "AwsSolutions-SMG4",
    constructs: /^flux-station\/secrets\/Resource$/,
    reason:
      "The entry holds keys that only their vendors can renew; the internal secret is rotated by hand, two values at a time.",
  },
  {
    rule: "AwsSolutions-SF1",
    constructs: /^flux-station\/[\w-]+-workflow\/machine\/Resource$/,
    reason:
      "Level ALL would log every state of every run; errors are logged, and a run's history is kept by the service.",
  },
  {
    rule: "AwsSolutions-IAM5[Resource::*]",
    constructs: /^flux-station\/[\w-]+-workflow\/machine\/Role\/DefaultPolicy\/Resource$/,
    reason: "Log delivery and X-Ray have no resources that a policy could name.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::<\w+workflowtasksfunction\w+\.Arn>:\*\]$/,
    constructs: /^flux-station\/[\w-]+-workflow\/machine\/Role\/DefaultPolicy\/Resource$/,
    reason: "The versions and aliases of the workflow's own task function.",
  },
  {
    rule: "AwsSolutions-IAM5[Resource::*]",
    constructs: /^flux-station\/recovery-sweep-queue\/worker\/role\/DefaultPolicy\/Resource$/,
    reason: "Lambda has no narrower permission to list event source mappings.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:.*:lambda:.*:event-source-mapping:\*\]$/,
    constructs: /^flux-station\/recovery-sweep-queue\/worker\/role\/DefaultPolicy\/Resource$/,
    reason: "A condition narrows it to the mappings of the station's own workers, whose ids only AWS knows.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:.*:states:.*:execution:.*:\*\]$/,
    constructs: /^flux-station\/recovery-sweep-queue\/worker\/role\/DefaultPolicy\/Resource$/,
    reason: "Whatever run of the digest's and the sequence's machine it is that hangs.",
  },
];

it("finds nothing in the stack but what was looked at and accepted, each with its reason", {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "nag-"));
  try {
    const station = resolveStation(config);
    await bundleFunctions(station, folder);
    const app = buildApp(station, { outdir: join(folder, "cdk.out"), bundleDir: folder });
    app.synth();
    const findings = new AwsSolutionsChecks(app)
      .validateScope(app)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath = "" }) => ({ ruleName, constructPath })),
      );
    const isAccepted = (
      { rule, constructs }: AcceptedFinding,
      { ruleName, constructPath }: (typeof findings)[number],
    ) => (typeof rule === "string" ? rule === ruleName : rule.test(ruleName)) && constructs.test(constructPath);

    expect(findings.filter((finding) => !accepted.some((each) => isAccepted(each, finding)))).toEqual([]);
    const outdated = accepted.filter((each) => !findings.some((finding) => isAccepted(each, finding)));
    expect(outdated, "accepted findings that are found no more: take them off the list").toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
