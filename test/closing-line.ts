import type { Reporter, TestModule } from "vitest/node";

/** Ends the run with one plain line that any program can read: `N passed, N failed, N skipped`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const counted = (state: string) => states.filter((each) => each === state).length;
    // What breaks outside a test - a file that does not load, a hook that throws - leaves no failed test behind.
    const broken = modules
      .flatMap((module) => [module, ...module.children.allSuites()])
      .filter((part) => part.errors().length > 0).length;
    const failed = counted("failed") + broken + unhandledErrors.length;
    // After vitest's own summary, which is written in the same turn.
    setImmediate(() =>
      process.stdout.write(`\n${counted("passed")} passed, ${failed} failed, ${counted("skipped")} skipped\n`),
    );
  }
}
