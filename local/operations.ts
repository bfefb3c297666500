import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { z } from "zod";

const requestStarted = z.object({ socket: z.object({ localPort: z.int().optional() }) });

export interface OperationCount {
  count(service: string): void;
  /** Counts from now on every request that arrives at one of these addresses. */
  watch(services: Record<string, string>): void;
  counted(): Record<string, number>;
  stop(): void;
}

/** Counts calls of AWS services: what the functions would be billed for. Polls of the mappings are not among them. */
export function countOperations(): OperationCount {
  const counts = new Map<string, number>();
  const serviceOfPort = new Map<number, string>();
  const count = (service: string) => counts.set(service, (counts.get(service) ?? 0) + 1);
  const onRequest = (message: unknown) => {
    const { localPort } = requestStarted.parse(message).socket;
    const service = localPort === undefined ? undefined : serviceOfPort.get(localPort);
    if (service) count(service);
  };
  subscribe("http.server.request.start", onRequest);
  return {
    count,
    watch(services) {
      for (const [service, url] of Object.entries(services)) serviceOfPort.set(Number(new URL(url).port), service);
    },
    counted: () => Object.fromEntries(counts),
    stop: () => {
      unsubscribe("http.server.request.start", onRequest);
    },
  };
}
