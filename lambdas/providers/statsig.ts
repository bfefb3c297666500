import type { Provider } from "@openfeature/server-sdk";
import * as z from "zod";
import { ProviderUnavailable } from "../core/provider-failure.ts";
import type { Breaker } from "../runtime/breaker.ts";
import { describeError, log } from "../runtime/logger.ts";
import { flagMaxAgeSeconds } from "./app-config.ts";
import { onOffProvider } from "./flags.ts";
import { createJsonCaller, failureOf } from "./json-call.ts";

interface StatsigOptions {
  baseUrl: string;
  /** A server secret of the project. */
  apiKey: string;
  timeoutMs: number;
  breaker?: Breaker | undefined;
  now: () => number;
}

const gate = z.object({ value: z.boolean() });
const refusal = z.object({ message: z.string() });

/**
 * Flags as gates of Statsig, over its HTTP API: its SDK polls in the background. A gate that Statsig does not know is
 * closed there, so it is off here. What a gate was seen to be is an event there whenever it changed.
 */
export function statsigFlags({ baseUrl, apiKey, timeoutMs, breaker, now }: StatsigOptions): Provider {
  const call = createJsonCaller({
    provider: "statsig",
    baseUrl,
    headers: { "statsig-api-key": apiKey },
    timeoutMs,
    breaker,
    now,
  });
  const seen = new Map<string, { value: boolean; atMs: number }>();

  const checkGate = async (flag: string, stage: string): Promise<boolean> => {
    const answer = await call("check_gate", {
      path: "/v1/check_gate",
      body: { gateName: flag, user: { userID: stage } },
    });
    if (answer.status !== 200) {
      const message = refusal.safeParse(answer.body).data?.message ?? "no reason given";
      throw failureOf(`Statsig gate ${flag}`, answer, { code: "refused", message, nowMs: now() });
    }
    const parsed = gate.safeParse(answer.body);
    if (!parsed.success)
      throw new ProviderUnavailable(`Statsig gate ${flag} came in another shape: ${parsed.error.message}`);
    return parsed.data.value;
  };

  /** Best effort: the flag is known without it. */
  const logChange = async (flag: string, stage: string, value: boolean): Promise<void> => {
    const event = { eventName: "flag_seen", user: { userID: stage }, value: String(value), metadata: { flag } };
    const { status } = await call("log_event", {
      path: "/v1/log_event",
      body: { events: [{ ...event, time: now() }] },
    });
    if (status >= 300) log.warn("flag.change-unlogged", { flag, status });
  };

  return onOffProvider("statsig", async (flag, stage) => {
    const before = seen.get(flag);
    if (before && now() - before.atMs < flagMaxAgeSeconds * 1000) return before.value;
    const value = await checkGate(flag, stage);
    seen.set(flag, { value, atMs: now() });
    if (before?.value !== value)
      await logChange(flag, stage, value).catch((error: unknown) =>
        log.warn("flag.change-unlogged", { flag, ...describeError(error) }),
      );
    return value;
  });
}
