import { TimeZone } from "aws-cdk-lib";
import {
  ContextAttribute,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
} from "aws-cdk-lib/aws-scheduler";
import { SqsSendMessage, StepFunctionsStartExecution } from "aws-cdk-lib/aws-scheduler-targets";
import { Construct } from "constructs";
import type { Envelope } from "../lambdas/core/messages.ts";
import { physicalName } from "../lambdas/core/names.ts";
import type { QueueName } from "../registry/queues.ts";
import type { ScheduleRecord } from "../registry/schedules.ts";
import type { WorkflowName } from "../registry/workflows.ts";
import type { Alarms } from "./alarms.ts";
import type { StationContext } from "./station-function.ts";
import type { WorkerQueue } from "./worker-queue.ts";
import type { Workflow } from "./workflow.ts";

/** Every schedule of the registry; a run's input carries the time it was due, so that it never has to ask a clock. */
export class Schedules extends Construct {
  constructor(
    scope: Construct,
    id: string,
    {
      context,
      alarms,
      workflows,
      queues,
    }: {
      context: StationContext;
      alarms: Alarms;
      workflows: Record<WorkflowName, Workflow>;
      queues: Record<QueueName, WorkerQueue>;
    },
  ) {
    super(scope, id);
    const { station, stage } = context;
    const targetOf = (record: ScheduleRecord) =>
      "queue" in record
        ? new SqsSendMessage(queues[record.queue].queue, {
            input: ScheduleTargetInput.fromObject(envelopeOnTime(record.queue)),
          })
        : new StepFunctionsStartExecution(workflows[record.workflow].machine, {
            input: ScheduleTargetInput.fromObject({ scheduledTime: ContextAttribute.scheduledTime, ...record.input }),
          });
    // Scheduler counts by group: one of our own, or the alarms would ring for other stations of the account.
    const scheduleGroup = new ScheduleGroup(this, "group", { scheduleGroupName: physicalName(stage, "schedules") });
    for (const [name, record] of Object.entries(station.schedules)) {
      new Schedule(this, name, {
        scheduleGroup,
        scheduleName: physicalName(stage, name),
        schedule: ScheduleExpression.expression(record.expression, TimeZone.of(station.config.digest.timeZone)),
        enabled: record.enabled,
        target: targetOf(record),
      });
    }
    // A single error is nothing: Scheduler tries again for a day before it drops what was due.
    alarms.at(
      "schedule-target-errors",
      scheduleGroup.metricTargetErrors({ statistic: "Sum" }),
      { threshold: 5, periods: 2 },
      "Digest, sequence or sweeps start late, or not at all while it lasts.",
    );
    alarms.atFirst(
      "schedule-dropped",
      scheduleGroup.metricDropped({ statistic: "Sum" }),
      "A digest, a sequence or a sweep that was due did not start and will not: make up for it by hand.",
    );
  }
}

/** A message as any other, of the time it was due; a delivery that Scheduler repeats is the same message. */
function envelopeOnTime(queue: QueueName): Envelope {
  return {
    id: ContextAttribute.executionId,
    type: queue,
    correlationId: ContextAttribute.executionId,
    businessKey: queue,
    occurredAt: ContextAttribute.scheduledTime,
    firstSeenAt: ContextAttribute.scheduledTime,
    deferrals: 0,
    payload: {},
  };
}
