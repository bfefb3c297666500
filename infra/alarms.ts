import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
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
      this.atFirst(`signal-${name}`, this.#stationMetric(name), signal.errorImpact);
    }
  }

  /** Alarms as soon as the metric within five minutes is one or more. */
  atFirst(id: string, metric: IMetric, errorImpact: string): void {
    this.at(id, metric, { threshold: 1, periods: 1 }, errorImpact);
  }

  /** Alarms when the metric was at the threshold or above in as many periods of five minutes in a row. */
  at(id: string, metric: IMetric, limit: { threshold: number; periods: number }, errorImpact: string): void {
    new Alarm(this, id, {
      alarmName: physicalName(this.#stage, id),
      alarmDescription: errorImpact,
      metric,
      threshold: limit.threshold,
      evaluationPeriods: limit.periods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(this.#action);
  }

  /** A metric of a queue that counts as nothing while the queue is on hold, since then it fills by intention. */
  unlessHeld(queue: string, metric: IMetric): MathExpression {
    return new MathExpression({
      expression: "IF(FILL(held, 0) > 0, 0, watched)",
      usingMetrics: { held: this.#stationMetric("queue-on-hold", { queue }), watched: metric },
      period: Duration.minutes(5),
    });
  }

  #stationMetric(name: string, dimensions: Record<string, string> = {}): Metric {
    return new Metric({
      namespace: metricNamespace,
      metricName: name,
      dimensionsMap: { ...dimensions, ...metricDimensions(this.#stage) },
      statistic: "Sum",
      period: Duration.minutes(5),
    });
  }
}
