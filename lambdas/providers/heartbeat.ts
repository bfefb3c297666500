import { correlationId } from "../runtime/logger.ts";

export interface HeartbeatProvider {
  /** Tells the uptime monitor that a scheduled run worked or failed; throws when it could not be told. */
  beat(id: string, worked: boolean): Promise<void>;
}

export function createHeartbeat({ baseUrl, timeoutMs }: { baseUrl: string; timeoutMs: number }): HeartbeatProvider {
  return {
    async beat(id, worked) {
      const url = `${baseUrl}/${id}${worked ? "" : "/fail"}`;
      const response = await fetch(url, {
        signal: AbortSignal.timeout(timeoutMs),
        headers: { "x-correlation-id": correlationId() ?? "" },
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`The heartbeat monitor answered ${response.status}; check the heartbeat's id.`);
    },
  };
}
