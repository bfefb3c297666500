import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { SignalName } from "../../registry/signals.ts";
import { metricDimensions, metricNamespace } from "../core/names.ts";
import { stage } from "./configuration.ts";
import { log } from "./logger.ts";

/** Counts `name` in CloudWatch by one dimension set; written to the log at once, so nothing runs after a response. */
export function count(name: string, amount: number, dimensions: Record<string, string> = {}): void {
  if (amount === 0) return;
  const { service, ...common } = metricDimensions(stage());
  const metrics = new Metrics({ namespace: metricNamespace, serviceName: service, singleMetric: true });
  metrics.addDimensions({ ...dimensions, ...common });
  metrics.addMetric(name, MetricUnit.Count, amount);
}

/** Raises one of the registry's signals: an alarm and a log line that says what happened. */
export function signal(name: SignalName, facts: Record<string, unknown>): void {
  log.warn(`signal.${name}`, facts);
  count(name, 1);
}
