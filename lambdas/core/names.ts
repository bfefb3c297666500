/** Environment variable that tells a function where a queue is: `QUEUE_URL_SEGMENT_SYNC`. */
export const queueUrlVariable = (queue: string) => `QUEUE_URL_${upperSnake(queue)}`;

/** Environment variable that tells a function where a queue's dead letters are, to look at or to send to. */
export const deadLetterUrlVariable = (queue: string) => `DEAD_LETTER_URL_${upperSnake(queue)}`;

/** Environment variable that tells a function which state machine a workflow is. */
export const workflowArnVariable = (workflow: string) => `WORKFLOW_ARN_${upperSnake(workflow)}`;

/** The table's partition key and sort key. */
export const tableKeys = { partition: "pk", sort: "sk", expiry: "expiresAt" } as const;

/** Namespace of every metric the station counts. */
export const metricNamespace = "FluxStation";

function upperSnake(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
