import type { QueueInspector } from "../runtime/queue-inspector.ts";
import { jsonReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";

/**
 * The state of every queue. `degraded` when something is dead-lettered, a worker keeps failing, or a number could
 * not be read; the status code stays 200, since the station itself answers.
 */
export const health =
  ({ inspector }: { inspector: QueueInspector }): Route =>
  async () => {
    const queues = await inspector.inspectAll();
    const sound = queues.every(
      ({ queue_length, in_flight, delayed, dead_letters, error_streak }) =>
        dead_letters === 0 && error_streak === 0 && ![queue_length, in_flight, delayed].includes(null),
    );
    return jsonReply(200, { status: sound ? "ok" : "degraded", queues }, { "cache-control": "no-store" });
  };
