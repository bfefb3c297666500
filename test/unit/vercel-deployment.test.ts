import { expect, test } from "vitest";
import { isKnownVercelType, judgeDeployment } from "../../lambdas/core/vercel-deployment.ts";

const deployed = (target: string | null, meta: Record<string, string> | null, type = "deployment.succeeded") => ({
  type,
  payload: { target, deployment: { id: "dpl_1", meta } },
});

test.each<Record<string, string>>([{ branch: "main" }, { githubCommitRef: "main" }, { gitlabCommitRef: "main" }])(
  "the production deployment of the release branch is a release: %j",
  (meta) => {
    expect(judgeDeployment(deployed("production", meta), "main")).toEqual({ release: true });
  },
);

test.each([
  [deployed("staging", { branch: "main" }), "not production"],
  [deployed(null, { branch: "main" }), "not production"],
  [deployed("production", { branch: "experiment" }), "another branch"],
  [deployed("production", { branch: "main-2" }), "another branch"],
  [deployed("production", null), "another branch"],
  [deployed("production", { branch: "main" }, "deployment.created"), "another event"],
  [{ type: "deployment.succeeded", payload: {} }, "not a deployment"],
  [null, "not a deployment"],
])("%j is none", (event, reason) => {
  expect(judgeDeployment(event, "main")).toEqual({ release: false, reason });
});

test("Vercel's other events are known, a stranger's are not", () => {
  expect(isKnownVercelType("deployment.error")).toBe(true);
  expect(isKnownVercelType("project.created")).toBe(true);
  expect(isKnownVercelType("firewall.attack")).toBe(false);
});
