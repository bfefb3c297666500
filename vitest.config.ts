import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
    // Each file that needs a station starts one of its own; two of them are what two cores can carry.
    // The synthesis before the tests has held the template against CloudFormation's schemas already.
    env: { CDK_VALIDATION: "false" },
    pool: "forks",
    maxWorkers: 2,
    // Functions start cold, on machines that are busy with other things too.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ["default", "./test/closing-line.ts"],
  },
});
