import type { Reporter, TestModule } from "vitest/node";

/** Ends the run with one plain line that any program can read: `N passed, N failed, N skipped`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const counted = (state: string) => states.filter((each) => each === state).length;
    const broken = modules.filter((module) => module.state() === "failed" && module.errors().length > 0).length;
    const failed = counted("failed") + broken + unhandledErrors.length;
    // After vitest's own summary, which is written in the same turn.
    setImmediate(() =>
      process.stdout.write(`\n${counted("passed")} passed, ${failed} failed, ${counted("skipped")} skipped\n`),
    );
  }
}
