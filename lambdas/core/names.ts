/** What a resource is called in AWS: several stages can live in one account. */
export const physicalName = (stage: string, name: string): string => `${stage}-flux-${name}`;

/** The function that empties a queue, before the stage is put in front of it. */
export const workerName = (queue: string): string => `${queue}-worker`;

/** Environment variable that tells a function where a queue is: `QUEUE_URL_SEGMENT_SYNC`. */
export const queueUrlVariable = (queue: string) => `QUEUE_URL_${upperSnake(queue)}`;

/** Environment variable that tells a function where a queue's dead letters are, to look at or to send to. */
export const deadLetterUrlVariable = (queue: string) => `DEAD_LETTER_URL_${upperSnake(queue)}`;

/** Name, address or ARN of the dead-letter queue that belongs to the queue with this one. */
export const deadLetterNameOf = (queue: string): string => queue.replace(/(\.fifo)?$/, "-dlq$1");

/** Environment variable that tells a function which state machine a workflow is. */
export const workflowArnVariable = (workflow: string) => `WORKFLOW_ARN_${upperSnake(workflow)}`;

/** The table's partition key and sort key. */
export const tableKeys = { partition: "pk", sort: "sk", expiry: "expiresAt" } as const;

/** Namespace of every metric the station counts. */
export const metricNamespace = "FluxStation";

/** Dimensions that every metric has; an alarm that names others watches a metric that does not exist. */
export const metricDimensions = (stage: string) => ({ service: "flux-station", stage });

function upperSnake(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
