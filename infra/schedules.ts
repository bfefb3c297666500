import { TimeZone } from "aws-cdk-lib";
import { ContextAttribute, Schedule, ScheduleExpression, ScheduleTargetInput } from "aws-cdk-lib/aws-scheduler";
import { StepFunctionsStartExecution } from "aws-cdk-lib/aws-scheduler-targets";
import { Construct } from "constructs";
import { physicalName } from "../lambdas/core/names.ts";
import type { WorkflowName } from "../registry/workflows.ts";
import type { StationContext } from "./station-function.ts";
import type { Workflow } from "./workflow.ts";

/** Every schedule of the registry; a run's input carries the time it was due, so that it never has to ask a clock. */
export class Schedules extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { context, workflows }: { context: StationContext; workflows: Record<WorkflowName, Workflow> },
  ) {
    super(scope, id);
    const { station, stage } = context;
    for (const [name, record] of Object.entries(station.schedules)) {
      new Schedule(this, name, {
        scheduleName: physicalName(stage, name),
        schedule: ScheduleExpression.expression(record.expression, TimeZone.of(station.config.digest.timeZone)),
        enabled: record.enabled,
        target: new StepFunctionsStartExecution(workflows[record.workflow].machine, {
          input: ScheduleTargetInput.fromObject({ scheduledTime: ContextAttribute.scheduledTime, ...record.input }),
        }),
      });
    }
  }
}
