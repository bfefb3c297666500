// Loaded into every function's thread of a station that was started for chaos, before the function's bundle.
import { AsyncLocalStorage } from "node:async_hooks";
import { providers } from "../../registry/providers.ts";
import type { InstallThreadHooks } from "../aws/lambda/thread-messages.ts";
import type { ChaosEvent } from "./chaos-event.ts";
import { field, text } from "./classify-call.ts";
import { createDisturbances } from "./disturbances.ts";
import { clockSkewMs, type Service } from "./fault-plan.ts";
import { chaosMemory } from "./memory.ts";
import { watchFetch } from "./watched-fetch.ts";
import { watchHttp } from "./watched-http.ts";

const named: readonly Service[] = ["resend", "discord", "site", "supabase"];

export const installHooks: InstallThreadHooks = ({ data, functionName, report }) => {
  const buffer = field(data, "buffer");
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error("The chaos hooks need the memory that threads share.");
  const memory = chaosMemory(buffer);
  memory.noteColdStart();
  // Functions start all the time, and a map takes a fifth of a start.
  process.setSourceMapsEnabled(false);
  const tell = (event: ChaosEvent) => report(event);
  const disturbances = createDisturbances({
    memory,
    report: tell,
    // Ends the thread, not the process.
    die: () => process.exit(1),
  });
  const addresses = new Map(
    Object.entries(providers).flatMap(([name, { baseUrlVariable }]) => {
      const url = process.env[baseUrlVariable];
      const service = named.find((each) => each === name) ?? "other";
      return url ? [[new URL(url).host, service] as const] : [];
    }),
  );
  globalThis.fetch = watchFetch(globalThis.fetch, ({ host }) => addresses.get(host), disturbances, tell);
  watchHttp(disturbances);
  noteScopes(disturbances.onBehalfOf);
  Object.defineProperty(globalThis, "chaosMutant", { get: memory.mutant });

  let known = { seed: 0, skewMs: 0 };
  return {
    invoked: disturbances.invoked,
    answering: disturbances.answering,
    clockSkewMs() {
      const seed = memory.disturbing() ? memory.seed() : 0;
      if (seed === known.seed) return known.skewMs;
      known = { seed, skewMs: seed ? clockSkewMs(seed, `${functionName}/${memory.nextEnvironment()}`) : 0 };
      return known.skewMs;
    },
  };
};

/** The functions keep the correlation id of their work at hand in an AsyncLocalStorage of their own. */
function noteScopes(onBehalfOf: <T>(correlationId: string, work: () => T) => T): void {
  AsyncLocalStorage.prototype.run = new Proxy(AsyncLocalStorage.prototype.run, {
    apply(target, self, args: unknown[]) {
      const correlationId = text(field(args[0], "correlationId"));
      const run = () => Reflect.apply(target, self, args);
      return correlationId === "" ? run() : onBehalfOf(correlationId, run);
    },
  });
}
