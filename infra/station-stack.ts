import { CfnOutput, RemovalPolicy, Stack } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table } from "aws-cdk-lib/aws-dynamodb";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { physicalName, tableKeys } from "../lambdas/core/names.ts";
import { entriesOf, mapRecord } from "../lambdas/core/record.ts";
import type { Station } from "../lambdas/core/station.ts";
import type { QueueName } from "../registry/queues.ts";
import type { SecretName } from "../registry/secrets.ts";
import type { WorkflowName } from "../registry/workflows.ts";
import { Alarms } from "./alarms.ts";
import { Api } from "./api.ts";
import { FlagStore } from "./flag-store.ts";
import { Schedules } from "./schedules.ts";
import type { StationContext, StationFunction } from "./station-function.ts";
import { WorkerQueue } from "./worker-queue.ts";
import { Workflow } from "./workflow.ts";

export interface StationStackProps {
  station: Station;
  /** Names the deployment: several stages can live in one account. */
  stage: string;
  bundleDir: string;
}

/** The station: routes → queues → workers, schedules → workflows and queues, and the state they share. */
export class StationStack extends Stack {
  constructor(scope: Construct, id: string, { station, stage, bundleDir }: StationStackProps) {
    super(scope, id, { stackName: physicalName(stage, "station"), analyticsReporting: false });
    const flags = new FlagStore(this, "flags", { station, stage });
    const context: StationContext = { station, stage, bundleDir, flags, ...this.#state(stage) };

    const alarms = new Alarms(this, "alarms", { station, stage });
    const workflows = mapRecord(
      station.workflows,
      (record, name) => new Workflow(this, `${name}-workflow`, name, { record, context, alarms }),
    );
    const queues = mapRecord(
      station.queues,
      (record, name) => new WorkerQueue(this, `${name}-queue`, name, { record, context, alarms }),
    );
    const api = new Api(this, "api", { context, alarms });
    new Schedules(this, "schedules", { context, alarms, workflows, queues });

    this.#connect({ station, api, queues, workflows });
    new CfnOutput(this, "ApiUrl", { value: api.http.apiEndpoint });
  }

  #state(stage: string): Pick<StationContext, "table" | "secret"> {
    const table = new Table(this, "state", {
      tableName: physicalName(stage, "state"),
      partitionKey: { name: tableKeys.partition, type: AttributeType.STRING },
      sortKey: { name: tableKeys.sort, type: AttributeType.STRING },
      timeToLiveAttribute: tableKeys.expiry,
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const secret = new Secret(this, "secrets", {
      secretName: physicalName(stage, "station"),
      description: "Every secret of the station, by the names in registry/secrets.ts",
      // Only the internal secret can be made up; the operator adds the rest. Changing this template would replace them.
      generateSecretString: {
        secretStringTemplate: "{}",
        generateStringKey: "internalSecret",
        excludePunctuation: true,
        passwordLength: 48,
      },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    return { table, secret };
  }

  /** Grants each function what its record says it uses, and nothing else. */
  #connect({
    station,
    api,
    queues,
    workflows,
  }: {
    station: Station;
    api: Api;
    queues: Record<QueueName, WorkerQueue>;
    workflows: Record<WorkflowName, Workflow>;
  }): void {
    const send = (sender: StationFunction, names: readonly string[] = []) => {
      for (const [name, { queue }] of entriesOf(queues)) if (names.includes(name)) sender.sendsTo(name, queue);
    };
    const linkBack = (sender: StationFunction, secrets: readonly SecretName[] = []) => {
      if (secrets.includes("unsubscribeKey"))
        sender.lambda.addEnvironment("PUBLIC_API_URL", station.config.apiUrl ?? api.http.apiEndpoint);
    };

    for (const route of Object.values(station.routes)) {
      const zone = api.zones[route.zone];
      send(zone, route.queues);
      if (route.workflow) zone.starts(route.workflow, workflows[route.workflow].machine);
      if (!route.inspectsQueues) continue;
      for (const [name, { queue, deadLetterQueue }] of entriesOf(queues)) zone.inspects(name, queue, deadLetterQueue);
    }
    for (const [name, { worker }] of entriesOf(queues)) {
      const { uses } = station.queues[name];
      send(worker, uses.queues);
      for (const workflow of uses.workflows ?? []) worker.runs(workflow, workflows[workflow].machine);
      for (const workflow of uses.recovers ?? []) worker.recovers(workflow, workflows[workflow].machine);
      if (uses.feeds)
        worker.feeds(entriesOf(queues).flatMap(([other, { worker: fed }]) => (other === name ? [] : [fed])));
      linkBack(worker, uses.secrets);
    }
    for (const [name, { tasks }] of entriesOf(workflows)) {
      const { uses } = station.workflows[name];
      send(tasks, uses.queues);
      linkBack(tasks, uses.secrets);
    }
  }
}
