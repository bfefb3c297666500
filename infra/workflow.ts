import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { physicalName } from "../lambdas/core/names.ts";
import type { WorkflowName, WorkflowRecord } from "../registry/workflows.ts";
import type { Alarms } from "./alarms.ts";
import { type StationContext, StationFunction } from "./station-function.ts";

/** A state machine from `statemachines/<name>.asl.json`, the function that runs its tasks, its log and its alarm. */
export class Workflow extends Construct {
  readonly machine: StateMachine;
  readonly tasks: StationFunction;

  constructor(
    scope: Construct,
    id: string,
    name: WorkflowName,
    { record, context, alarms }: { record: WorkflowRecord; context: StationContext; alarms: Alarms },
  ) {
    super(scope, id);
    this.tasks = new StationFunction(this, "tasks", `${name}-tasks`, {
      context,
      timeoutSeconds: record.taskTimeoutSeconds,
      memoryMb: record.taskMemoryMb,
    }).usesTable();
    if (record.uses.providers.length > 0 || record.uses.secrets) this.tasks.readsSecret();
    if (record.uses.flags) this.tasks.readsFlags();

    this.machine = new StateMachine(this, "machine", {
      stateMachineName: physicalName(context.stage, name),
      stateMachineType: StateMachineType[record.type],
      definitionBody: DefinitionBody.fromString(
        readFileSync(join(import.meta.dirname, "../statemachines", `${name}.asl.json`), "utf8"),
      ),
      definitionSubstitutions: { TasksFunctionArn: this.tasks.lambda.functionArn },
      // Execution data holds addresses and content: errors are logged, payloads are not.
      logs: {
        destination: new LogGroup(this, "logs", {
          logGroupName: `/aws/vendedlogs/states/flux-station/${context.stage}/${name}`,
          retention: context.station.config.logs?.retentionDays ?? 30,
        }),
        level: LogLevel.ERROR,
        includeExecutionData: false,
      },
      tracingEnabled: true,
    });
    this.tasks.lambda.grantInvoke(this.machine);
    alarms.atFirst(`workflow-failed-${name}`, this.machine.metricFailed({ statistic: "Sum" }), record.errorImpact);
    // A run that reaches the machine's own limit ends without visiting any state, and counts as no failure.
    alarms.atFirst(`workflow-timed-out-${name}`, this.machine.metricTimedOut({ statistic: "Sum" }), record.errorImpact);
  }
}
