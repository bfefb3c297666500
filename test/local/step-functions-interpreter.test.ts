import { describe, expect, it } from "vitest";
import { functionArn, named, oneTask, runOnce } from "./step-functions-setup.ts";

const choiceMachine = (rule: object) => ({
  StartAt: "Ask",
  States: {
    Ask: { Type: "Choice", Choices: [{ ...rule, Next: "Yes" }], Default: "No" },
    Yes: { Type: "Pass", Result: "yes", End: true },
    No: { Type: "Pass", Result: "no", End: true },
  },
});

describe("errors of a task", () => {
  it("are named after what the function threw, with the cause that Lambda gives", async () => {
    const run = await runOnce(
      oneTask("work"),
      {},
      {
        work: () => {
          throw named("QuotaGone", "come back tomorrow");
        },
      },
    );
    expect(run).toMatchObject({ status: "FAILED", error: "QuotaGone" });
    expect(JSON.parse(run.cause ?? "")).toEqual({ errorType: "QuotaGone", errorMessage: "come back tomorrow" });
  });

  it.each(["Sandbox.Timedout", "Runtime.ExitError", "QuotaGone"])(
    "%s is matched by States.TaskFailed",
    async (name) => {
      const run = await runOnce(
        {
          StartAt: "Work",
          States: {
            Work: {
              Type: "Task",
              Resource: functionArn("work"),
              Catch: [{ ErrorEquals: ["States.TaskFailed"], ResultPath: "$.failure", Next: "Park" }],
              End: true,
            },
            Park: { Type: "Pass", End: true },
          },
        },
        { id: 7 },
        {
          work: () => {
            throw named(name, "m");
          },
        },
      );
      expect(run.output).toMatchObject({ id: 7, failure: { Error: name } });
    },
  );

  it("States.Timeout ends a task that takes too long, and States.TaskFailed does not match it", async () => {
    const run = await runOnce(
      {
        StartAt: "Work",
        States: {
          Work: {
            Type: "Task",
            Resource: functionArn("work"),
            TimeoutSeconds: 1,
            Catch: [
              { ErrorEquals: ["States.TaskFailed"], Next: "Wrong" },
              { ErrorEquals: ["States.Timeout"], Next: "Right" },
            ],
            End: true,
          },
          Wrong: { Type: "Pass", Result: "wrong", End: true },
          Right: { Type: "Pass", Result: "right", End: true },
        },
      },
      {},
      { work: () => new Promise((resolve) => setTimeout(resolve, 1200)) },
    );
    expect(run.output).toBe("right");
  });

  it("a result over 256 KiB is States.DataLimitExceeded, which States.ALL neither retries nor catches", async () => {
    const definition = {
      StartAt: "Work",
      States: {
        Work: {
          Type: "Task",
          Resource: functionArn("work"),
          Retry: [{ ErrorEquals: ["States.ALL"] }],
          Catch: [{ ErrorEquals: ["States.ALL"], Next: "Done" }],
          Next: "Done",
        },
        Done: { Type: "Pass", Result: "done", End: true },
      },
    };
    // Two bytes each in UTF-8: the limit is in bytes.
    const over = await runOnce(definition, {}, { work: () => "é".repeat(131_072) });
    expect(over).toMatchObject({ status: "FAILED", error: "States.DataLimitExceeded", calls: ["work"] });
    const under = await runOnce(definition, {}, { work: () => "é".repeat(131_071) });
    expect(under.status).toBe("SUCCEEDED");
  });

  it("an output that grows over 256 KiB by its ResultPath fails before the next task is called", async () => {
    const run = await runOnce(
      {
        StartAt: "Work",
        States: {
          Work: { Type: "Task", Resource: functionArn("work"), ResultPath: "$.result", Next: "After" },
          After: { Type: "Task", Resource: functionArn("after"), Parameters: {}, End: true },
        },
      },
      { kept: "x".repeat(200_000) },
      { work: () => "y".repeat(100_000), after: () => null },
    );
    expect(run).toMatchObject({ status: "FAILED", error: "States.DataLimitExceeded", calls: ["work"] });
  });
});

describe("retries", () => {
  it("repeat the named error up to MaxAttempts, then the Catch takes over", async () => {
    const run = await runOnce(
      {
        StartAt: "Work",
        States: {
          Work: {
            Type: "Task",
            Resource: functionArn("work"),
            Retry: [
              { ErrorEquals: ["Busy"], MaxAttempts: 2, BackoffRate: 2, MaxDelaySeconds: 30, JitterStrategy: "FULL" },
              { ErrorEquals: ["Never"], MaxAttempts: 0 },
            ],
            Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$", Next: "Caught" }],
            End: true,
          },
          Caught: { Type: "Pass", End: true },
        },
      },
      {},
      {
        work: () => {
          throw named("Busy", "later");
        },
      },
    );
    expect(run.calls).toHaveLength(3);
    expect(run.output).toMatchObject({ Error: "Busy" });
  });
});

describe("what the interpreter does otherwise and is made good", () => {
  it.each([
    ["IsPresent false", { Variable: "$.absent", IsPresent: false }, "yes"],
    ["IsNull false", { Variable: "$.five", IsNull: false }, "yes"],
    ["IsPresent true on null", { Variable: "$.nothing", IsPresent: true }, "yes"],
    ["a string is no number", { Variable: "$.five", NumericLessThan: 10 }, "no"],
    ["a number is no string", { Variable: "$.ten", StringLessThan: "99" }, "no"],
    ["Not around a type mismatch", { Not: { Variable: "$.five", NumericEquals: 5 } }, "yes"],
    [
      "And",
      {
        And: [
          { Variable: "$.ten", NumericEquals: 10 },
          { Variable: "$.five", StringEquals: "5" },
        ],
      },
      "yes",
    ],
    ["StringMatches on a number", { Variable: "$.ten", StringMatches: "1*" }, "no"],
    ["StringMatches", { Variable: "$.five", StringMatches: "*5" }, "yes"],
    ["a path operand", { Variable: "$.ten", NumericGreaterThanPath: "$.nine" }, "yes"],
  ])("choice: %s", async (_, rule, expected) => {
    const run = await runOnce(choiceMachine(rule), { five: "5", ten: 10, nine: 9, nothing: null });
    expect(run.output).toBe(expected);
  });

  it("a choice on a field that is not there is States.Runtime", async () => {
    const run = await runOnce(choiceMachine({ Variable: "$.absent", NumericEquals: 1 }), {});
    expect(run).toMatchObject({ status: "FAILED", error: "States.Runtime" });
  });

  it('a path of "$" is all of it', async () => {
    const fields = { InputPath: "$", ResultPath: "$", OutputPath: "$" };
    const run = await runOnce(oneTask("work", fields), { a: 1 }, { work: (input) => [input] });
    expect(run.output).toEqual([{ a: 1 }]);
  });

  it("a task without an answer gives null", async () => {
    const run = await runOnce(oneTask("work", { OutputPath: "$" }), {}, { work: () => undefined });
    expect(run.output).toBeNull();
  });

  it("the context object knows the execution, the machine and the state, inside a Map too", async () => {
    const run = await runOnce(
      {
        StartAt: "Each",
        States: {
          Each: {
            Type: "Map",
            ItemsPath: "$.items",
            ItemSelector: { "index.$": "$$.Map.Item.Index", "item.$": "$$.Map.Item.Value.id" },
            ItemProcessor: {
              StartAt: "Look",
              States: {
                Look: {
                  Type: "Pass",
                  Parameters: {
                    "item.$": "$.item",
                    "index.$": "$.index",
                    "week.$": "$$.Execution.Input.week",
                    "state.$": "$$.State.Name",
                    "machine.$": "$$.StateMachine.Name",
                    "start.$": "$$.Execution.StartTime",
                    "execution.$": "$$.Execution.Id",
                  },
                  End: true,
                },
              },
            },
            End: true,
          },
        },
      },
      { week: "2025-W07", items: [{ id: "a" }, { id: "b" }] },
    );
    const common = { week: "2025-W07", state: "Look", machine: "probe", start: expect.stringMatching(/^\d{4}-.*Z$/) };
    const execution = expect.stringContaining(":express:probe:");
    expect(run.output).toEqual([
      { ...common, execution, item: "a", index: 0 },
      { ...common, execution, item: "b", index: 1 },
    ]);
  });

  it("$$.State.RetryCount counts the retries of a task, from 0 each time the task is entered", async () => {
    const seen: unknown[] = [];
    const run = await runOnce(
      {
        StartAt: "Work",
        States: {
          Work: {
            Type: "Task",
            Resource: functionArn("work"),
            Parameters: { contact: { "retry.$": "$$.State.RetryCount", "id.$": "$.id" } },
            Retry: [
              { ErrorEquals: ["Busy"], MaxAttempts: 1 },
              { ErrorEquals: ["Down"], MaxAttempts: 1 },
            ],
            Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.error", Next: "Work" }],
            End: true,
          },
        },
      },
      { id: 5 },
      {
        work: (input) => {
          const error = ["Busy", "Down", "Busy", "Down"][seen.push(input) - 1];
          if (error !== undefined) throw named(error);
          return "done";
        },
      },
    );
    expect(run.output).toBe("done");
    expect(seen).toEqual([0, 1, 2, 0, 1].map((retry) => ({ contact: { retry, id: 5 } })));
  });

  it("no item of a Map begins after another has failed", async () => {
    const run = await runOnce(
      {
        StartAt: "Each",
        States: {
          Each: {
            Type: "Map",
            MaxConcurrency: 1,
            ItemProcessor: oneTask("work"),
            Catch: [{ ErrorEquals: ["Bad"], Next: "After" }],
            Next: "After",
          },
          After: { Type: "Task", Resource: functionArn("after"), End: true },
        },
      },
      [1, 2, 3, 4, 5],
      {
        work: (item) => {
          if (item === 2) throw named("Bad");
          return item;
        },
        after: () => new Promise((resolve) => setTimeout(() => resolve("after"), 20)),
      },
    );
    expect(run).toMatchObject({ output: "after", calls: ["work", "work", "after"] });
  });

  it("a Map that is retried starts again from its first item", async () => {
    let failures = 0;
    const run = await runOnce(
      {
        StartAt: "Each",
        States: {
          Each: {
            Type: "Map",
            MaxConcurrency: 2,
            ItemProcessor: oneTask("work"),
            Retry: [{ ErrorEquals: ["Bad"] }],
            End: true,
          },
        },
      },
      [1, 2, 3],
      {
        work: (item) => {
          if (item === 1 && failures++ === 0) throw named("Bad");
          return item;
        },
      },
    );
    expect(run.output).toEqual([1, 2, 3]);
  });

  it("a Map that failed runs again when a Catch leads back to it", async () => {
    let failures = 0;
    const run = await runOnce(
      {
        StartAt: "Each",
        States: {
          Each: {
            Type: "Map",
            ItemsPath: "$.items",
            ItemProcessor: oneTask("work"),
            Catch: [{ ErrorEquals: ["Bad"], ResultPath: null, Next: "Each" }],
            End: true,
          },
        },
      },
      { items: [1, 2] },
      {
        work: (item) => {
          if (failures++ === 0) throw named("Bad");
          return item;
        },
      },
    );
    expect(run.output).toEqual([1, 2]);
  });

  it("a branch of a Parallel that is being retried stops when another fails", async () => {
    const run = await runOnce(
      {
        StartAt: "Both",
        States: {
          Both: {
            Type: "Parallel",
            Branches: [
              {
                StartAt: "Retry",
                States: {
                  Retry: {
                    Type: "Task",
                    Resource: functionArn("retried"),
                    Retry: [{ ErrorEquals: ["Busy"], IntervalSeconds: 20, MaxAttempts: 9, BackoffRate: 1 }],
                    End: true,
                  },
                },
              },
              { StartAt: "Fail", States: { Fail: { Type: "Task", Resource: functionArn("failing"), End: true } } },
            ],
            Catch: [{ ErrorEquals: ["States.ALL"], Next: "After" }],
            Next: "After",
          },
          After: { Type: "Wait", Seconds: 100, End: true },
        },
      },
      {},
      {
        retried: () => {
          throw named("Busy");
        },
        failing: async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          throw named("Bad");
        },
      },
    );
    expect(run).toMatchObject({ status: "SUCCEEDED", calls: ["retried", "failing"] });
  });

  it("a Wait takes its seconds or its instant from the input and passes the input on", async () => {
    const waiting = (field: object) => ({ StartAt: "Rest", States: { Rest: { Type: "Wait", ...field, End: true } } });
    const input = { plan: { pause: 3, until: new Date(Date.now() + 3000).toISOString(), bad: "soon" } };
    expect(await runOnce(waiting({ SecondsPath: "$.plan.pause" }), input)).toMatchObject({ output: input });
    expect(await runOnce(waiting({ TimestampPath: "$.plan.until" }), input)).toMatchObject({ output: input });
    expect(await runOnce(waiting({ SecondsPath: "$.plan.bad" }), input)).toMatchObject({ error: "States.Runtime" });
  });

  it("a Fail state fails with its name, and without a cause when it has none", async () => {
    const failing = (fields: object) => ({ StartAt: "Stop", States: { Stop: { Type: "Fail", ...fields } } });
    const bare = await runOnce(failing({ Error: "NoWeek" }), {});
    expect(bare).toMatchObject({ status: "FAILED", error: "NoWeek", cause: undefined });
    const full = await runOnce(failing({ Error: "NoWeek", CausePath: "$.why" }), { why: "empty" });
    expect(full).toMatchObject({ error: "NoWeek", cause: "empty" });
  });
});

describe("the Lambda service integration", () => {
  it("wraps payload and result, and takes the function by name", async () => {
    const invokeState = {
      Type: "Task",
      Resource: "arn:aws:states:::lambda:invoke",
      Parameters: { FunctionName: "work", Payload: { "id.$": "$.id" } },
      ResultSelector: { "answer.$": "$.Payload.answer", "status.$": "$.StatusCode" },
      ResultPath: "$.work",
      End: true,
    };
    const definition = { StartAt: "Work", States: { Work: invokeState } };
    const run = await runOnce(definition, { id: 3 }, { work: (payload) => ({ answer: payload }) });
    expect(run.output).toEqual({ id: 3, work: { answer: { id: 3 }, status: 200 } });
  });

  it("counts arrays and makes ids without a task", async () => {
    const parameters = { "count.$": "States.ArrayLength($.items)", "id.$": "States.UUID()" };
    const definition = { StartAt: "Count", States: { Count: { Type: "Pass", Parameters: parameters, End: true } } };
    const run = await runOnce(definition, { items: [1, 2] });
    expect(run.output).toEqual({ count: 2, id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4/) });
  });
});
