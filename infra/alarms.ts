import { Duration } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, Metric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { metricDimensions, metricNamespace, physicalName } from "../lambdas/core/names.ts";
import type { Station } from "../lambdas/core/station.ts";

/** One topic that every alarm of the station goes to, mailed to the operator when the config names one. */
export class Alarms extends Construct {
  readonly #action: SnsAction;
  readonly #stage: string;

  constructor(scope: Construct, id: string, { station, stage }: { station: Station; stage: string }) {
    super(scope, id);
    const topic = new Topic(this, "topic", { topicName: physicalName(stage, "alarms"), enforceSSL: true });
    if (station.config.alarms?.email) topic.addSubscription(new EmailSubscription(station.config.alarms.email));
    this.#action = new SnsAction(topic);
    this.#stage = stage;
    for (const [name, signal] of Object.entries(station.signals)) {
      this.atFirst(`signal-${name}`, this.#signalMetric(name), signal.errorImpact);
    }
  }

  /** Alarms as soon as the metric's maximum within five minutes is one or more. */
  atFirst(id: string, metric: IMetric, errorImpact: string): void {
    new Alarm(this, id, {
      alarmName: physicalName(this.#stage, id),
      alarmDescription: errorImpact,
      metric,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(this.#action);
  }

  #signalMetric(name: string): Metric {
    return new Metric({
      namespace: metricNamespace,
      metricName: name,
      dimensionsMap: metricDimensions(this.#stage),
      statistic: "Sum",
      period: Duration.minutes(5),
    });
  }
}
