import type { ProviderName } from "../../registry/providers.ts";
import type { QueueInspector } from "../runtime/queue-inspector.ts";
import { jsonReply } from "./door/reply.ts";
import type { Route } from "./door/zone.ts";

export interface HealthParts {
  inspector: QueueInspector;
  /** Providers that are down and left alone, with when each is tried next, epoch milliseconds. */
  providersDown: () => Promise<{ provider: ProviderName; untilMs: number }[]>;
}

/**
 * The state of every queue, and which providers are down. `degraded` when there is one, when something is
 * dead-lettered, a worker keeps failing, or a number could not be read; the status code stays 200, since the station
 * itself answers.
 */
export const health =
  ({ inspector, providersDown }: HealthParts): Route =>
  async () => {
    const [queues, down] = await Promise.all([inspector.inspectAll(), providersDown()]);
    const sound = queues.every(
      ({ queue_length, in_flight, delayed, dead_letters, error_streak }) =>
        dead_letters === 0 && error_streak === 0 && ![queue_length, in_flight, delayed].includes(null),
    );
    const providers_down = down.map(({ provider, untilMs }) => ({
      provider,
      tried_at: new Date(untilMs).toISOString(),
    }));
    const status = sound && down.length === 0 ? "ok" : "degraded";
    return jsonReply(200, { status, queues, providers_down }, { "cache-control": "no-store" });
  };
