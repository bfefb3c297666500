import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { boundaryOf, type StepName } from "./boundaries.ts";
import type { ChaosEvent } from "./chaos-event.ts";
import { type ClassifiedCall, classifyCall, field, type OutgoingCall } from "./classify-call.ts";
import { type Fault, faultOf, isKilled, type Service, slownessMs } from "./fault-plan.ts";
import type { ChaosMemory } from "./memory.ts";

/** What is to happen to one call. */
export interface DisturbedCall {
  fault: Fault;
  /** Waits as long as a slow call does. */
  slowness(): Promise<void>;
  /** Ends the thread when this is where it dies: the request has not left yet. */
  leaving(): void;
  /** Ends the thread when this is where it dies: the answer is there and nobody has seen it. */
  answered(status: number): void;
}

export interface Disturbances {
  /** The invocation that the calls from now on belong to. */
  invoked(event: unknown): void;
  /** The handler is done, and nobody was told yet. */
  answering(): void;
  call(call: OutgoingCall): DisturbedCall;
  /** Runs work in the name of the message or request with this correlation id. */
  onBehalfOf<T>(correlationId: string, work: () => T): T;
}

const undisturbed: DisturbedCall = {
  fault: "none",
  slowness: async () => undefined,
  leaving: () => undefined,
  answered: () => undefined,
};

/** Decides, by the seed's plan and by how often each item came by, where this thread's function fails or dies. */
export function createDisturbances(options: {
  memory: ChaosMemory;
  report: (event: ChaosEvent) => void;
  die: () => void;
}): Disturbances {
  const { memory, report, die } = options;
  const scopes = new AsyncLocalStorage<string>();
  let invocation = "";
  let isTask = false;
  // A task is alone in its thread and about one thing; a worker has several messages in hand, each in its own scope.
  const about = () => (isTask ? invocation : (scopes.getStore() ?? invocation));

  const killAt = (step: StepName | undefined, side: "before" | "after", item: string) => {
    if (!step || !memory.disturbing()) return;
    const boundary = boundaryOf(step, side);
    if (!isKilled(memory.seed(), boundary, item, memory.count(`${boundary}/${item}`))) return;
    report({ kind: "kill", boundary, item, about: about() });
    die();
  };

  const disturb = (service: Service, { step, item: told }: ClassifiedCall, call: OutgoingCall): DisturbedCall => {
    const item = told ?? `${call.method}/${step ?? service}/${about()}`;
    const fault = memory.disturbing()
      ? faultOf(memory.seed(), service, item, memory.count(`${service}/${item}`))
      : "none";
    if (fault !== "none") report({ kind: "fault", service, fault, item, about: about() });
    return {
      fault,
      slowness: async () => {
        if (fault === "slow") await sleep(slownessMs(memory.seed(), item));
      },
      leaving: () => killAt(step, "before", item),
      answered: (status) => {
        if (status === 429) report({ kind: "limit-met", service, item, about: about() });
        killAt(step, "after", item);
      },
    };
  };

  return {
    invoked(event) {
      invocation = nameOf(event);
      isTask = field(event, "task") !== undefined;
      killAt("work", "before", invocation);
    },
    answering: () => killAt("work", "after", invocation),
    call: (call) => (memory.seed() === 0 ? undisturbed : disturb(call.service, classifyCall(call), call)),
    onBehalfOf: (correlationId, work) => scopes.run(correlationId, work),
  };
}

/** What an invocation is about, in words that are the same in every run of a seed. */
function nameOf(event: unknown): string {
  const text = JSON.stringify(event);
  const names = [
    /"task":"([^"]+)"/,
    /"subscriptionId":"([^"]+)"/,
    /"scheduledTime":"([^"]+)"/,
    /"routeKey":"([^"]+)"/,
    /"x-correlation-id":"([^"]+)"/,
    /"eventSourceARN":"([^"]+)"/,
    /\\"businessKey\\":\\"([^"]+)\\"/,
  ].map((pattern) => pattern.exec(text)?.[1]);
  return names.filter((name) => name !== undefined).join("/");
}
